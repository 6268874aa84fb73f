"""Faults from outside of real runs: of the storage, the clock, the workdir.

They are no hooks: small file systems are mounted, strace makes system calls
slow or has them fail, and a library in front of libc sets the clock.  That
needs root, strace and a C compiler.
"""
import contextlib
import ctypes
import mmap
import os
import shutil
import signal
import subprocess
import sys
import time

import forks

LARGE = 'size=200m,nr_inodes=100000'
SYNCS = 'fsync,fdatasync'
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static long back(void) {
  static volatile long *seconds;
  if (!seconds) {
    int file = open(getenv("CLOCK_BACK"), O_RDONLY);
    seconds = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
  }
  return *seconds;
}
int clock_gettime(clockid_t which, struct timespec *to) {
  static int (*next)(clockid_t, struct timespec *);
  if (!next) next = dlsym(RTLD_NEXT, "clock_gettime");
  int code = next(which, to);
  if (which == CLOCK_REALTIME) to->tv_sec -= back();
  return code;
}
time_t time(time_t *to) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (to) *to = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval *restrict to, void *restrict zone) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  to->tv_sec = now.tv_sec;
  to->tv_usec = now.tv_nsec / 1000;
  return 0;
}
"""


@contextlib.contextmanager
def disk(path, options):
  """A file system of its own, in memory; yields a function that remounts."""
  def mount(options):
    subprocess.run(['mount', *options, 'tmpfs', path], check=True)
  path.mkdir()
  mount(['-t', 'tmpfs', '-o', options])
  try:
    yield lambda options: mount(['-o', f'remount,{options}'])
  finally:
    subprocess.run(['umount', '-l', path], check=True)
    path.rmdir()


def plain(code, said, codes):
  """'' if a run ended with one of the codes, in words for people."""
  bad = (code not in codes and f'ends with {code}'
         or 'Traceback' in said and 'a traceback'
         or said.count(' failed, ') > 60 and 'more lines than saves')
  return bad and f'{bad}: {said[-700:]}'


def small_disks(soak, kind, n):
  """A file system that has no room, or no inodes, for the run."""
  for i in range(n):
    options = (f'nr_inodes={soak.rng.randint(3, 120)}' if kind == 'few_inodes'
               else f'size={soak.rng.randint(5, 400) * 4}k')
    with disk(soak.folder / f'disk-{kind}-{i}', options) as remount:
      workdir = soak.folder / f'disk-{kind}-{i}' / soak.new().name
      run = soak.run(workdir)
      code = run.wait()
      soak.tell(kind, (bad := plain(code, run.said(), (0, 74)))
                and f'{options}: {bad}')
      if code is None:
        run.signal(signal.SIGKILL)
        run.wait()
      remount(LARGE)
      soak.finish(kind, workdir)


def read_only(soak, n):
  """A file system that is read-only at the start, or when a run goes on."""
  for i in range(n):
    with disk(soak.folder / f'disk-ro-{i}', LARGE) as remount:
      workdir = soak.folder / f'disk-ro-{i}' / soak.new().name
      if i % 2:
        run = soak.run(workdir)
        run.wait(soak.rng.uniform(.5, soak.length))
        run.signal(signal.SIGKILL)
        run.wait()
      remount('ro')
      began, run = time.monotonic(), soak.run(workdir)
      code = run.wait()
      late = time.monotonic() - began > 10 and 'late'
      done = 0 if (workdir / 'results.json').exists() else 73
      soak.tell('read_only', plain(code, run.said(), (done,)) or late)
      remount('rw')
      soak.finish('read_only', workdir)


def lost_outputs(soak, n):
  """The log is on a full disk, or its reader ends."""
  for i in range(n):
    workdir, lines = soak.new(), soak.rng.randint(0, 30)
    with disk(soak.folder / f'disk-log-{i}',
              f'size={4 * soak.rng.randint(1, 2)}k') as _:
      if i % 2:
        log = open(soak.folder / f'disk-log-{i}' / 'log', 'wb')  # noqa: SIM115
        code, expected = forks.Run(
            soak.options(workdir), soak.folder / f'{workdir.name}.log',
            out=log.fileno()).wait(), (0, 74)
        log.close()
      else:
        read, write = os.pipe()
        run = forks.Run(
            soak.options(workdir), soak.folder / f'{workdir.name}.log',
            out=write, close=[read])
        os.close(write)
        with open(read, 'rb', buffering=0) as reader:
          for _ in range(lines):
            reader.readline()
        code, expected = run.wait(), (141,)
    soak.tell('lost_outputs', code not in expected and f'{code}, not {expected}'
              or not (workdir / 'results.json').exists() and 'not finished')
    soak.finish('lost_outputs', workdir)


def moved(soak, n):
  """The workdir is moved or deleted under a run; another takes its place."""
  for i in range(n):
    workdir = soak.new()
    away = workdir.with_name(f'{workdir.name}-away')
    first, second = soak.run(workdir), None
    while not (workdir / 'lock.json').exists():
      time.sleep(.01)
    first.wait(soak.rng.uniform(0, soak.length))
    first.signal(signal.SIGSTOP)
    done = (workdir / 'results.json').exists()
    if i % 3:
      workdir.rename(away)
    else:
      shutil.rmtree(workdir)
    if i % 3 == 2:
      second = forks.Run(soak.options(workdir), soak.folder / 'second.log')
      second.wait(soak.rng.uniform(0, soak.length))
    first.signal(signal.SIGCONT)
    bad = plain(first.wait(), first.said(), (0,) if done else (75,))
    if second:
      bad = bad or second.wait() and f'the second: {second.said()[-500:]}'
    elif workdir.exists():
      bad = bad or f'it is there again: {list(workdir.rglob("*"))}'
    soak.tell('moved', bad)
    for one in (workdir, away):
      if one.exists():
        soak.finish('moved', one)


def bad_storage(soak, kind, n):
  """SIGTERM while the storage is slow, or fails."""
  for i in range(n):
    how = (f'{SYNCS}:delay_enter={soak.rng.choice([200, 1000, 20_000])}ms',
           f'{SYNCS}:error=EIO', 'rename,renameat,renameat2:error=EIO')
    how = how[0] if kind == 'sigterms_slow_storage' else how[1 + i % 2]
    workdir = soak.new()
    run = soak.run(workdir)
    while not (workdir / 'metrics.jsonl').exists():
      time.sleep(.01)
    run.signal(signal.SIGSTOP)
    traced = subprocess.Popen(
        ['strace', '-f', '-qq', '-o', os.devnull, '-p', str(run.pid), '-e',
         f'trace={how.partition(":")[0]}', '-e', f'inject={how}'])
    time.sleep(.5)
    run.signal(signal.SIGCONT)
    code = run.wait(soak.rng.uniform(0, 3))
    if code is None:
      run.signal(signal.SIGTERM)
      late = not run.ended(10.5) and f'late: {run.said()[-500:]}'
      traced.kill()
      traced.wait()
      bad = late or plain(run.wait(), run.said(), (143, 74))
      soak.tell(kind, bad and f'{how}: {bad}')
    elif bad := plain(code, run.said(), (0, 74)):
      soak.tell(kind, f'{how}: {bad}', 0)
    traced.kill()
    traced.wait()
    soak.finish(kind, workdir)


def clocks(soak, n):
  """The clock is set back, by minutes or by days, while a run goes on."""
  library, shown = soak.folder / 'clock.so', soak.folder / 'clock'
  source = library.with_suffix('.c')
  source.write_text(CLOCK)
  subprocess.run(['cc', '-shared', '-fPIC', '-o', library, source, '-ldl'],
                 check=True)
  shown.write_bytes(bytes(8))
  with open(shown, 'r+b') as file, mmap.mmap(file.fileno(), 8) as memory:
    back = ctypes.c_long.from_buffer(memory)
    for _ in range(n):
      workdir = soak.new()
      with open(soak.folder / 'clock.log', 'w') as log:
        command = [sys.executable, '-m', 'swae_jax.main',
                   *soak.options(workdir), '--watchdog=20']
        environment = {
            **os.environ, 'PYTHONPATH': 'tests', 'JAX_PLATFORMS': 'cpu',
            'LD_PRELOAD': str(library), 'CLOCK_BACK': str(shown)}
        first = subprocess.Popen(command, cwd=forks.ROOT, env=environment,
                                 stdout=log, stderr=log)
        while first.poll() is None and not (
            workdir / 'metrics.jsonl').exists():
          time.sleep(.01)
        for _ in range(3):
          back.value = soak.rng.choice([1, 300, 90_000, 10_000_000])
          time.sleep(soak.rng.uniform(0, soak.length / 3))
        first.send_signal(signal.SIGKILL)
        first.wait()
        code = subprocess.run(command, cwd=forks.ROOT, env=environment,
                              stdout=log, stderr=log, check=False).returncode
      soak.tell('clocks', plain(
          code, (soak.folder / 'clock.log').read_text(), (0,)))
      back.value = 0
      soak.finish('clocks', workdir)
    del back


def _digit(text, rng):
  at = rng.choice([i for i, c in enumerate(text) if c in b'123456789'])
  return text[:at] + b'0' + text[at + 1:]


# {way: (content, random numbers) -> damaged content, None to delete}
WAYS = {
    'deleted': lambda text, rng: None,
    'emptied': lambda text, rng: b'',
    'cut off': lambda text, rng: text[:rng.randrange(len(text))],
    'a head cut off': lambda text, rng: text[rng.randrange(1, len(text)):],
    'a NUL': lambda text, rng: text.replace(b'"', b'\0', 1),
    'a binary line': lambda text, rng: rng.randbytes(50) + b'\n' + text,
    'a line lost': lambda text, rng: text.partition(b'\n')[2],
    'a line twice': lambda text, rng: text[:text.find(b'\n') + 1] + text,
    'a digit changed': _digit,
    'another JSON': lambda text, rng: b'[1]\n{}\n' + text,
}


def damaged_metrics(soak, n):
  """metrics.jsonl of a killed run is damaged, in ten ways."""
  right = set((soak.straight / 'metrics.jsonl').read_bytes().splitlines())
  for i in range(n):
    workdir, (way, damage) = soak.new(), list(WAYS.items())[i % len(WAYS)]
    soak.run(workdir, f'step:{soak.rng.randint(20, 90)}').wait()
    path = workdir / 'metrics.jsonl'
    content = damage(path.read_bytes(), soak.rng)
    if content is None:
      path.unlink()
    else:
      path.write_bytes(content)
    run = soak.run(workdir)
    bad = plain(run.wait(), run.said(), (0, 65))
    if not bad and (workdir / 'results.json').exists():
      state = soak.result(workdir)['state_sha256']
      bad = state != soak.result(soak.straight)['state_sha256'] and 'the state'
      found = path.read_bytes().splitlines()
      if not bad and (set(found) != right or len(found) != len(right)):
        # The run, or verify, must tell of it.
        check = subprocess.run(
            [sys.executable, '-m', 'swae_jax', 'verify',
             f'--workdir={workdir}'], cwd=forks.ROOT, check=False)
        bad = ('metrics.jsonl' not in run.said() and check.returncode != 65
               and 'lines are lost or wrong, and nothing tells of it')
    soak.tell('damaged_metrics', bad and f'{way}: {bad}')
    shutil.rmtree(workdir)
