"""The command as a user gives it: refusals, kills, several processes."""
import importlib.util
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

import bucket
import pytest

from swae_jax.training import presets
from swae_jax.workdir import lock

ROOT = pathlib.Path(__file__).parent.parent
CONFIG = 'tests/tiny_config.py'
# A kill may damage compiled programs, so other tests have another cache.
CACHE = tempfile.TemporaryDirectory()


def command(*args, config=CONFIG, fault=''):
  program = ['tests/faults.py'] if fault else ['-m', 'swae_jax.main']
  return [sys.executable, *program, f'--config={config}', *args]


def environment(devices=1, fault=''):
  return {**os.environ, 'JAX_COMPILATION_CACHE_DIR': CACHE.name,
          'JAX_NUM_CPU_DEVICES': str(devices), 'JAX_PLATFORMS': 'cpu',
          'PYTHONPATH': '.:tests', 'SWAE_JAX_FAULT': fault}


def start(*args, config=CONFIG, devices=1, fault=''):
  return subprocess.Popen(
      command(*args, config=config, fault=fault), cwd=ROOT,
      env=environment(devices, fault),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, code=0):
  out, err = process.communicate(timeout=300)
  assert process.returncode == code, f'{process.returncode}: {err[-2000:]}'
  return out, err


def final(workdir):
  return json.loads((workdir / 'results.json').read_text())


def steps(workdir):
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(line)['step'] for line in lines]


def kill_and_restart(system, workdir, kills, rng, end=60):
  """SIGKILLs at random; returns the lines that said where a run went on."""
  args = [f'--config.train.steps={end}', '--config.train.save_every=3',
          f'--workdir={workdir}']
  began = time.monotonic()
  finish(start(*args[:-1], f'--workdir={workdir}-straight',
               config=f'{CONFIG}:{system}'))
  length = time.monotonic() - began
  said = ''
  for i in range(kills):
    process = start(*args, config=f'{CONFIG}:{system}')
    if i % 2:  # At a random time, mostly before the first step.
      try:
        process.wait(rng.uniform(.3, 1.) * length)
      except subprocess.TimeoutExpired:
        pass
    else:  # After a random step.
      left = rng.randrange(1, 1 + end // 10)
      for line in process.stdout:
        said += line
        left -= line.startswith('step ')
        if not left:
          break
    process.send_signal(signal.SIGKILL)
    said += process.communicate()[0]
    assert process.returncode in (-signal.SIGKILL, 0)  # It may have ended.
  finish(start(*args, config=f'{CONFIG}:{system}'))
  return [line for line in said.splitlines() if 'resuming at' in line]


def check_equal(workdir, end=60):
  straight = pathlib.Path(f'{workdir}-straight')
  a, b = final(straight), final(workdir)
  assert a['state_sha256'] == b['state_sha256']
  assert a['metrics'] == b['metrics']
  text = 'metrics.jsonl'
  assert (straight / text).read_text() == (workdir / text).read_text()
  assert steps(workdir) == list(range(2, end + 1, 2))


def test_killed_and_started_again_it_ends_the_same(tmp_path):
  kill_and_restart('swae', tmp_path / 'run', 2, random.Random(0))
  check_equal(tmp_path / 'run')


FEW = ['--config.train.steps=60', '--config.train.save_every=3']


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
  """The workdir of a run to which nothing happens."""
  workdir = tmp_path_factory.mktemp('straight') / 'run-straight'
  finish(start(*FEW, f'--workdir={workdir}'))
  return workdir


@pytest.mark.parametrize('fault,code,words', [
    pytest.param(*case, marks=pytest.mark.slow if i else ())
    for i, case in enumerate([
        ('step:20:sigterm', 143, 'SIGTERM: saved step 2'),
        ('commit:4', 137, ''),
        ('step:20:sigint', 130, 'SIGINT: saved step 2'),
        ('save:4', 137, ''), ('prune:2', 137, ''), ('metrics:9', 137, ''),
        ('results:1', 137, ''), ('results:1:sigterm', 143, 'nothing to save'),
        ('save:9+:enospc', 74, 'disk full: save at 60 failed, last good 24')])])
def test_after_a_fault_it_ends_the_same(fault, code, words, straight, tmp_path):
  workdir = straight.parent / fault.replace(':', '-')
  args = [*FEW, f'--workdir={workdir}']
  _, err = finish(start(*args, fault=fault), code)
  lines = [line for line in err.splitlines() if line.startswith('swae_jax: ')]
  assert words in ''.join(lines) and len(lines) == bool(words)
  finish(start(*args))
  a, b = final(straight), final(workdir)
  assert a['state_sha256'] == b['state_sha256']
  assert a['metrics'] == b['metrics']
  assert ((straight / 'metrics.jsonl').read_text()
          == (workdir / 'metrics.jsonl').read_text())


def test_a_second_process_is_sent_away(tmp_path):
  args = [*FEW, f'--workdir={tmp_path}']
  first = start(*args, fault='step:5:hang')
  for line in first.stdout:
    if line.startswith('workdir'):
      break
  _, err = finish(start(*args), 75)
  assert f'{tmp_path} is in use by ' in err and f':{first.pid} since 2' in err
  first.kill()
  first.communicate()
  with lock.hold(tmp_path):  # Its death has given it back.
    pass


@pytest.mark.slow
@pytest.mark.parametrize('system', presets.SETTINGS)
def test_twenty_kills(system, tmp_path):
  workdir = tmp_path / 'run'
  resumed = kill_and_restart(system, workdir, 20, random.Random(system), 600)
  check_equal(workdir, 600)
  assert resumed  # Some kills came late enough to leave a checkpoint.


def free_port():
  with socket.socket() as s:
    s.bind(('localhost', 0))
    return s.getsockname()[1]


def train(workdir, steps, processes=1):
  """The output of each process of a run on eight devices."""
  args = [f'--config.train.steps={steps}', '--config.train.log_every=1',
          '--config.devices=0', f'--workdir={workdir}']
  if processes > 1:
    args += [f'--processes={processes}',
             f'--coordinator=localhost:{free_port()}']
  started = [start(*args, *[f'--process={i}'] * (processes > 1),
                   devices=8 // processes) for i in range(processes)]
  return [finish(process)[0] for process in started]


def losses(text):
  return {row['step']: row['loss'] for row in map(
      json.loads, text.splitlines())}


def test_two_processes_train_as_one(tmp_path):
  train(tmp_path / 'one', 5)
  first, second = train(tmp_path / 'two', 5, processes=2)
  assert 'waiting for 1 more process' in first and '8 x cpu, 2 proc' in first
  assert 'step 5/5' not in second
  one, two = (losses((tmp_path / name / 'metrics.jsonl').read_text())
              for name in ('one', 'two'))
  assert list(two) == [1, 2, 3, 4, 5] and two == pytest.approx(one, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('first, then', [(1, 2), (2, 1)])
@pytest.mark.parametrize('place', ['folder', 'bucket'])
def test_the_number_of_processes_may_change(
    first, then, place, tmp_path, monkeypatch):
  if place == 'bucket' and not importlib.util.find_spec('gcsfs'):
    pytest.skip('gcsfs is not installed')
  with bucket.serve() as (store, variables):
    for name, value in variables.items():
      monkeypatch.setenv(name, value)
    workdir = 'gs://bucket/run' if place == 'bucket' else tmp_path / 'run'
    train(workdir, 5, first)
    assert 'resuming at step 5' in train(workdir, 9, then)[0]
    found = (store.objects['run/metrics.jsonl'][0].decode()
             if place == 'bucket' else (workdir / 'metrics.jsonl').read_text())
  train(tmp_path / 'straight', 9)
  expected = losses((tmp_path / 'straight' / 'metrics.jsonl').read_text())
  assert list(expected) == list(range(1, 10))
  assert losses(found) == pytest.approx(expected, rel=1e-5)
