"""What cannot be printed does not stop a command, and its code tells of it."""
import os
import subprocess
import sys

import pytest

from swae_jax.host import console, output

PROGRAM = """
import sys
from swae_jax.host import output
with output.guarded():
  for i in range(3):
    print('x' * 10_000, flush=True)
  print('went on', file=sys.stderr)
  sys.exit({})
"""


def run(code=0, **options):
  with subprocess.Popen(
      [sys.executable, '-c', PROGRAM.format(code)], stderr=subprocess.PIPE,
      text=True, env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
      **options) as process:
    if process.stdout:
      process.stdout.close()
    return process.wait(), process.stderr.read().splitlines()


def test_a_reader_that_ends_and_a_full_disk_have_codes():
  assert run(stdout=subprocess.PIPE) == (output.CLOSED, ['went on'])
  with open('/dev/full', 'w') as full:
    code, (line, last) = run(stdout=full)
    assert code == output.FAILED == 74 and last == 'went on'
    assert line == ('swae_jax: the output cannot be written (No space left on '
                    'device); the command goes on')
    assert run(5, stdout=full)[0] == 5  # Another failure counts more.


@pytest.mark.parametrize('closed', ['<&-', '>&-', '2>&-', '>&- 2>&- <&-',
                                    '2>/dev/full'])
def test_streams_that_are_closed_from_the_start_are_no_failure(closed):
  code = subprocess.run(
      ['sh', '-c', f'exec "$@" {closed}', 'sh', sys.executable, '-c',
       PROGRAM.format(0)], check=False, capture_output=True, env={
           **os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}).returncode
  assert code == 0


@pytest.mark.parametrize('number', [5, 28, 32])
def test_a_console_goes_on_where_nothing_can_be_printed(number, monkeypatch):
  class Stream:
    encoding = 'utf-8'

    def isatty(self):
      return True

    def write(self, *text):
      raise OSError(number, os.strerror(number))
    flush = fileno = write

  for terminal in (True, False):
    monkeypatch.setattr(Stream, 'isatty', lambda self, t=terminal: t)
    monkeypatch.setattr(sys, 'stdout', Stream())
    with console.Console() as shown:
      shown.begin(0, 3, 1)
      for step in (1, 2, 3):
        shown.step(step, {'loss': 1.})
      shown.table([('a', 1)], ('b', 'c'))
