"""launch/local_processes.sh: signals, codes and output of several processes."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
SCRIPT = 'launch/local_processes.sh'
# A process that does what $DO says for its number, and notes its own id.
PYTHON = '''#!/bin/bash
if [ "$1" = -c ]; then echo 12345; exit; fi
echo "args $*"
echo complaint >&2
me=${!#}; me=${me##*=}
echo $$ > "$NOTES/pid$me"
trap 'exit 143' TERM
trap 'exit 130' INT
hang() { while true; do sleep .05; done; }
stubborn() { trap '' TERM; hang; }
eval "do$me() { hang; }; $DO"
echo ready
do$me
'''


def alive(pid):
  """Whether there is such a process, that is no zombie."""
  try:
    os.kill(pid, 0)
    return pathlib.Path(f'/proc/{pid}/stat').read_text().split()[2] != 'Z'
  except (ProcessLookupError, FileNotFoundError):
    return False


@pytest.fixture
def start(fake, venv):
  def start(count, do='', **env):
    return fake.popen(SCRIPT, count, '--config=c.py', '--x=a b', DO=do,
                      NOTES=str(fake.home), VENV=str(venv(PYTHON)), **env)
  return start


def test_each_process_gets_its_flags(start):
  process = start(3, 'do0() { :; }; do1() { :; }; do2() { :; }')
  out, err = process.communicate(timeout=30)
  assert process.returncode == 0
  for i in range(3):
    assert (f'[{i}] args -m swae_jax.main --config=c.py --x=a b '
            f'--coordinator=localhost:12345 --processes=3 --process={i}\n'
            ) in out
    assert f'[{i}] complaint\n' in err
  assert len(out.splitlines()) == 6


@pytest.mark.parametrize('do, code', [
    ('do1() { exit 66; }', 66),  # The other hangs: stopped by SIGTERM.
    ('do1() { exit 134; }', 134),  # Not the other's 143.
    ('do0() { :; }; do1() { kill -KILL $$; }', 137),
    ('do0() { exit 134; }; do1() { exit 2; }', 2)])
def test_one_that_fails_ends_all(fake, start, do, code):
  process = start(2, do, GRACE='20')
  began = time.monotonic()
  process.communicate(timeout=30)
  assert process.returncode == code
  assert time.monotonic() - began < 15  # Nobody had to be killed.
  for i in range(2):
    assert not alive(int((fake.home / f'pid{i}').read_text()))


def test_one_that_does_not_stop_is_killed(fake, start):
  process = start(2, 'do0() { stubborn; }; do1() { sleep .5; exit 70; }',
                  GRACE='1')
  process.communicate(timeout=30)
  assert process.returncode == 70
  assert not alive(int((fake.home / 'pid0').read_text()))


@pytest.mark.parametrize('sent', [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_all(fake, start, sent):
  process = start(2)
  ready = 0
  while ready < 2:
    ready += 'ready' in process.stdout.readline()
  process.send_signal(sent)
  process.communicate(timeout=30)
  assert process.returncode == 128 + sent
  for i in range(2):
    assert not alive(int((fake.home / f'pid{i}').read_text()))


@pytest.mark.parametrize('argv', [[], ['1'], ['two'], ['--config=c.py']])
def test_the_number_of_processes_is_needed(fake, argv):
  assert 'usage: ' in fake.run(SCRIPT, *argv, code=2)


@pytest.mark.slow
def test_two_real_processes_train(fake, venv):
  workdir = fake.home / 'run'
  python = venv(f'#!/bin/bash\nexec {sys.executable} "$@"\n')
  process = subprocess.Popen(
      [SCRIPT, '2', '--config=tests/tiny_config.py', f'--workdir={workdir}',
       '--config.devices=0'], cwd=ROOT, text=True, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, env={
          **fake.env, 'VENV': str(python), 'JAX_PLATFORMS': 'cpu',
          'JAX_NUM_CPU_DEVICES': '1', 'PYTHONPATH': 'tests'})
  out, err = process.communicate(timeout=300)
  assert process.returncode == 0, err
  assert '[0] waiting for 1 more process at localhost:' in out
  assert re.search(r'\[0\] .*2 x cpu, 2 proc', out)
  assert (workdir / 'results.json').exists()
