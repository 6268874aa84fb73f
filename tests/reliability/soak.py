"""Injects faults into tiny runs and adds up what became of them.

  python tests/reliability/soak.py --kills=200 --sigterms=100 --mutations=20

Every run must end with the state, the results and the lines of metrics of a
run to which nothing happened, bit for bit.  The totals are added to those in
--out.  Exit code 1 if anything failed.
"""
import argparse
import functools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
  os.environ['JAX_COMPILATION_CACHE_DIR'] = tempfile.mkdtemp(prefix='soak_')
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'

import forks  # noqa: E402  Sets the path, too.
import inside  # noqa: E402
import outside  # noqa: E402
import totals  # noqa: E402

POINTS = ('step', 'save', 'rename', 'commit', 'prune', 'metrics', 'results')
OPTIONS = ['--config=tests/tiny_config.py', '--config.train.steps=100',
           '--config.train.save_every=5']


class Soak:
  """The cases, in a folder of their own."""

  def __init__(self, folder, seed):
    self.folder, self.rng = folder, random.Random(seed)
    self.totals = {}
    self.count = 0
    self.straight = folder / 'straight'
    self.run(self.straight).wait()  # Fills the cache.
    shutil.rmtree(self.straight)
    began = time.monotonic()
    assert self.run(self.straight).wait() == 0, 'the straight run fails'
    self.length = time.monotonic() - began

  def run(self, workdir, fault='', flags=()):
    """Starts, or goes on with, the run in a workdir."""
    return forks.Run([*self.options(workdir), *flags],
                     self.folder / f'{workdir.name}.log', fault)

  def options(self, workdir):
    """The flags of the run in a workdir."""
    return [*OPTIONS, f'--workdir={workdir}']

  def result(self, workdir):
    """The content of results.json."""
    return json.loads((workdir / 'results.json').read_text())

  def new(self):
    """A fresh workdir."""
    self.count += 1
    return self.folder / f'run-{self.count}'

  def tell(self, kind, failed='', injections=1):
    """Counts injections, and what was wrong if anything was."""
    total = self.totals.setdefault(kind, {'injected': 0, 'failed': 0})
    total['injected'] += injections
    if failed:
      total['failed'] += 1
      print(f'FAILED {kind}: {failed}', flush=True)

  def finish(self, kind, workdir):
    """Runs to the end, and compares with the straight run."""
    last = newest(workdir)
    run = self.run(workdir)
    code = run.wait()
    self.resumed(kind, run, last)
    if code != 0:
      self.tell(kind, f'{workdir} ends with {code}: {run.said()[-500:]}', 0)
    elif difference := differs(self.straight, workdir):
      self.tell(kind, f'{workdir} differs in {difference}', 0)
    else:
      shutil.rmtree(workdir)

  def resumed(self, kind, run, last):
    """No step is lost of what had been committed when a run started."""
    said = run.said()
    if 'steps     ' in said:  # It came as far as that.
      found = re.search(r'; (?:resuming at step (\d+)|new run)', said)
      if int(found[1] or 0) != last:
        self.tell(kind, f'{last} was there, but: {found[0]}', 0)

  def kills(self, n):
    """SIGKILLs at random times, several to a run."""
    while n:
      workdir = self.new()
      for _ in range(min(n, 5)):
        last = newest(workdir)
        run = self.run(workdir)
        code = run.wait(self.rng.uniform(0, self.length))
        if code is None:
          run.signal(signal.SIGKILL)
          run.wait()
          self.tell('kills')
          self.resumed('kills', run, last)
          n -= 1
        else:
          if code:
            self.tell('kills', f'ends with {code}: {run.said()[-500:]}', 0)
          break
      self.finish('kills', workdir)

  def kills_at_points(self, n):
    """SIGKILLs, as the process sees them, at the named points."""
    for i in range(n):
      point = POINTS[i % len(POINTS)]
      passes = {'results': 1, 'step': 100, 'metrics': 50}.get(point, 18)
      fault = f'{point}:{self.rng.randint(1, passes)}'
      workdir = self.new()
      code = self.run(workdir, fault).wait()
      self.tell('kills_at_points', code != 137 and f'{fault}: {code}')
      self.finish('kills_at_points', workdir)

  def signals(self, kind, number, n):
    """A signal at a random time, in any phase: saved, and soon."""
    while n:
      workdir = self.new()
      run = self.run(workdir)
      if run.wait(self.rng.uniform(.02, self.length)) is None:
        run.signal(number)
        began = time.monotonic()
        code, seconds = run.wait(), time.monotonic() - began
        bad = code != 128 + number or seconds > 10
        if code != 0:  # It may have been about to end.
          name, said = signal.Signals(number).name, run.said()
          bad = bad or f'swae_jax: {name}: ' not in said
          saved = saved_at(said)
          bad = bad or saved is not None and saved != newest(workdir)
          self.tell(kind, bad and f'{code} in {seconds:.1f} s: '
                    f'{run.said()[-500:]}')
          n -= 1
      self.finish(kind, workdir)

  def double_starts(self, n):
    """Two at once: one is sent away, the other does not notice."""
    for _ in range(n):
      workdir = self.new()
      first = self.run(workdir)
      time.sleep(self.rng.uniform(0, .5))
      second = forks.Run(self.options(workdir), self.folder / 'second.log')
      codes = {run.wait() for run in (first, second)}
      self.tell('double_starts', codes != {0, 75} and f'codes {codes}')
      self.finish('double_starts', workdir)

  def hangs(self, n):
    """A step that never ends: the watchdog ends the process."""
    for _ in range(n):
      workdir, fault = self.new(), f'step:{self.rng.randint(1, 100)}:hang'
      run = self.run(workdir, fault, flags=['--watchdog=2'])
      code = run.wait()
      self.tell('hangs', code != 124 and f'{fault}: {code}')
      self.finish('hangs', workdir)

  def damaged_caches(self, n):
    """Bits flipped in, or ends cut off, every file of compiled programs."""
    cache = pathlib.Path(os.environ['JAX_COMPILATION_CACHE_DIR'])
    whole = shutil.copytree(cache, self.folder / 'cache')
    for i in range(n):
      for path in filter(pathlib.Path.is_file, cache.rglob('*')):
        content = bytearray(path.read_bytes())
        at = self.rng.randrange(len(content))
        if i % 2:
          del content[at:]
        else:
          content[at] ^= 1 << self.rng.randrange(8)
        path.write_bytes(content)
      self.tell('damaged_caches')
      self.finish('damaged_caches', self.new())
      shutil.rmtree(cache)
      shutil.copytree(whole, cache)

  def two_hosts(self, kind, number, n):
    """A signal to one of two processes."""
    for _ in range(n):
      workdir, victim = self.new(), self.rng.randrange(2)
      logs = [self.folder / f'host-{i}.log' for i in range(2)]
      both = pair(workdir, logs)
      for line in both[0].stdout:
        if line.startswith('step 10'):
          break
      both[victim].send_signal(number)
      codes = []
      for process in both:
        try:
          process.communicate(timeout=110)
        except subprocess.TimeoutExpired:
          process.kill()
          process.communicate()
        codes.append(process.returncode)
      if number == signal.SIGKILL:
        bad = 0 in codes or codes[1 - victim] == -signal.SIGKILL
      else:
        told = [128 + signal.SIGTERM] * 2  # The other one hears SIGTERM.
        told[victim] = 128 + number
        steps = {saved_at(log.read_text()) for log in logs}
        bad = codes != told or steps != {newest(workdir)}
      self.tell(kind, bad and f'codes {codes}, newest {newest(workdir)}: '
                f'{[log.read_text()[-500:] for log in logs]}')
      again = pair(workdir, logs)
      for process in again:
        process.communicate(timeout=300)
      codes = [process.returncode for process in again]
      steps = lines(workdir)
      if codes != [0, 0] or steps != list(range(2, 301, 2)):
        self.tell(kind, f'afterwards {codes}, {len(steps)} lines', 0)
      shutil.rmtree(workdir)

  def inside(self, name, *args):
    """Cases that one process can do: no kill is in them."""
    found = self.folder / 'inside.json'
    log = self.folder / f'{name}.log'
    code = forks.apart(log, inside.main, name, self.folder, found, *args)
    if code:
      self.tell(name, f'ends with {code}: {log.read_text()[-1000:]}', 0)
    else:
      for kind, (injected, failures) in json.loads(found.read_text()).items():
        self.tell(kind, injections=injected)
        for failure in failures:
          self.tell(kind, failure, 0)


def lines(workdir):
  """The steps of metrics.jsonl."""
  return [json.loads(line)['step'] for line in
          (workdir / 'metrics.jsonl').read_text().splitlines()]


def differs(one, two):
  """The first difference of two finished runs, or None."""
  a, b = (json.loads((w / 'results.json').read_text()) for w in (one, two))
  for key in ('step', 'state_sha256', 'metrics'):
    if a[key] != b[key]:
      return key
  for name in ('metrics.jsonl', 'config.json'):
    if (one / name).read_bytes() != (two / name).read_bytes():
      return name
  # A signal leaves a checkpoint of its own step, in the place of another.
  a, b = (sorted('step' if p.name.isdigit() else p.name for p in w.rglob('*')
                 if len(p.relative_to(w).parts) < 3 and not p.name.startswith(
                     ('error-', 'hang-'))) for w in (one, two))
  return a != b and f'files: {sorted(set(a) ^ set(b))}'


def newest(workdir):
  """The newest step of which there is a checkpoint; 0 for none."""
  return max((int(path.name) for path in workdir.glob('checkpoints/*')
              if path.name.isdigit()), default=0)


def saved_at(said):
  """The step that a stopped run says it has saved, or None."""
  found = re.search(r'saved step (\d+) in', said)
  return found and int(found[1])


def pair(workdir, logs):
  """Two processes of one run, not forked: they meet through JAX."""
  with socket.socket() as s:
    s.bind(('localhost', 0))
    port = s.getsockname()[1]
  env = {**os.environ, 'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': '1',
         'PYTHONPATH': 'tests'}
  return [subprocess.Popen(
      [sys.executable, '-m', 'swae_jax.main', OPTIONS[0],
       '--config.train.steps=300', '--config.train.save_every=10',
       '--config.devices=0', f'--workdir={workdir}', '--processes=2',
       f'--coordinator=localhost:{port}', f'--process={i}'], cwd=forks.ROOT,
      env=env, stdout=subprocess.PIPE, stderr=log.open('w'), text=True)
          for i, log in enumerate(logs)]


def main():
  """Does what the flags ask for."""
  parser = argparse.ArgumentParser(description=__doc__)
  failed = False
  kinds = ('kills', 'kills_at_points', 'sigterms', 'sigints', 'double_starts',
           'hangs', 'damaged_caches', 'disk_full', 'nans', 'mutations',
           'device_pairs', 'two_host_sigterms', 'two_host_sigints',
           'two_host_sigkills', 'small_disks', 'few_inodes', 'read_only',
           'lost_outputs', 'moved', 'sigterms_slow_storage',
           'sigterms_bad_storage', 'clocks', 'damaged_metrics', 'flips')
  for kind in kinds:
    parser.add_argument(f'--{kind}', type=int, default=0)
  parser.add_argument('--seed', type=int, default=int(time.time()))
  parser.add_argument('--out', type=pathlib.Path,
                      default=totals.PATH)
  flags = parser.parse_args()
  os.chdir(forks.ROOT)
  # A script in the background ignores SIGINT, and its children would, too.
  signal.signal(signal.SIGINT, signal.default_int_handler)
  folder = pathlib.Path(tempfile.mkdtemp(prefix='soak_runs_'))
  soak = Soak(folder, flags.seed)
  print(f'seed {flags.seed}; a run takes {soak.length:.1f} s', flush=True)
  do = {'kills': soak.kills, 'kills_at_points': soak.kills_at_points,
        'sigterms': lambda n: soak.signals('sigterms', signal.SIGTERM, n),
        'sigints': lambda n: soak.signals('sigints', signal.SIGINT, n),
        'double_starts': soak.double_starts,
        'hangs': soak.hangs, 'damaged_caches': soak.damaged_caches,
        'two_host_sigterms': lambda n: soak.two_hosts(
            'two_host_sigterms', signal.SIGTERM, n),
        'two_host_sigints': lambda n: soak.two_hosts(
            'two_host_sigints', signal.SIGINT, n),
        'two_host_sigkills': lambda n: soak.two_hosts(
            'two_host_sigkills', signal.SIGKILL, n)}
  for kind in ('small_disks', 'few_inodes'):
    do[kind] = functools.partial(outside.small_disks, soak, kind)
  for kind in ('sigterms_slow_storage', 'sigterms_bad_storage'):
    do[kind] = functools.partial(outside.bad_storage, soak, kind)
  for kind in ('read_only', 'lost_outputs', 'moved', 'clocks',
               'damaged_metrics'):
    do[kind] = functools.partial(getattr(outside, kind), soak)
  for kind in kinds:
    n, began = getattr(flags, kind), time.monotonic()
    if not n:
      continue
    do.get(kind, lambda n, kind=kind: soak.inside(kind, n))(n)
    found, soak.totals = soak.totals, {}
    totals.merge(flags.out, found)
    print(f'{kind}: {json.dumps(found)}, {time.monotonic() - began:.0f} s',
          flush=True)
    failed |= any(total['failed'] for total in found.values())
  if failed:
    sys.exit(1)
  shutil.rmtree(folder)


if __name__ == '__main__':
  main()
