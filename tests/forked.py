"""Carries out many `swae` command lines quickly, each in a process of its own.

A server loads the modules once.  Each command line then has a fork of the
server: flags, JAX and the current folder are as in a new process.  The tests
themselves cannot be forked, since JAX has started its threads in them.
"""
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

LIMIT = 120  # Seconds of a command line.


class Ended(NamedTuple):
  """A command line that has ended."""
  code: int
  out: str
  err: str
  seconds: float


class Server:
  """Takes command lines; the programs know only these variables."""

  def __init__(self, root, **variables):
    self._process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env={
            **os.environ, 'PYTHONPATH': f'{root}:{root}/tests',
            'JAX_PLATFORMS': 'cpu', 'OPENBLAS_NUM_THREADS': '1', **variables})

  def run(self, argv, folder, **variables):
    """Ended of `swae *argv` in a folder."""
    self._process.stdin.write(json.dumps(
        [argv, str(folder), variables]) + '\n')
    self._process.stdin.flush()
    return Ended(*json.loads(self._process.stdout.readline()))

  def close(self):
    self._process.stdin.close()
    self._process.stdout.close()
    self._process.wait()


def serve():
  """Answers the lines of stdin, in order."""
  # All modules that command lines load.
  for name in ('main', 'model', 'commands.apply', 'commands.doctor',
               'commands.export', 'commands.prepare', 'commands.report',
               'commands.tables.main', 'commands.verify', 'training.dry_run',
               'training.train'):
    importlib.import_module(f'swae_jax.{name}')
  import sklearn.datasets  # noqa: F401

  from swae_jax import __main__ as commands
  answers = os.fdopen(os.dup(1), 'w')
  for line in sys.stdin:
    argv, folder, variables = json.loads(line)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
      began = time.monotonic()
      pid = os.fork()
      if not pid:
        _child(commands, argv, folder, variables, out, err)
      _, status = os.waitpid(pid, 0)
      seconds = time.monotonic() - began
      texts = []
      for file in (out, err):
        file.seek(0)
        texts.append(file.read().decode(errors='replace'))
    answers.write(json.dumps(
        [os.waitstatus_to_exitcode(status), *texts, seconds]) + '\n')
    answers.flush()


def _child(commands, argv, folder, variables, out, err):
  os.dup2(out.fileno(), 1)
  os.dup2(err.fileno(), 2)
  os.environ.update(variables)
  signal.alarm(LIMIT)  # Its default action ends the process.
  code = 99
  try:
    os.chdir(folder)
    sys.argv = ['swae', *argv]
    commands.main()
    code = 0
  except SystemExit as e:
    code = e.code if isinstance(e.code, int) else int(e.code is not None)
  except BaseException:  # noqa: BLE001
    import traceback
    traceback.print_exc()
    code = 1
  with contextlib.suppress(Exception):
    sys.stdout.flush()
    sys.stderr.flush()
  os._exit(code)


if __name__ == '__main__':
  serve()
