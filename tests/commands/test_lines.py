"""Bad command lines: one line, the right code, the flag, nothing written."""
import os
import pathlib
import shlex
import subprocess
import sys

import declared
import forked
import numpy as np
from PIL import Image
import pytest
import tiny_trained

ROOT = pathlib.Path(__file__).parents[2]
AT_ONCE = 30  # Lines in a test.
# Words that stand for what a shell line cannot show.
WORDS = {'LONG': 300 * 'l', 'BIG': 4000 * '9', 'BYTES': 'caf\udce9',
         'DIGITS': '--config=configs/digits.py'}

# Lines under a number have this code.  Before | are words of the message;
# without | the message must have the last word of the line, up to =.
LINES = pathlib.Path(__file__).with_name('lines.txt')


def table():
  """(code, words, arguments) of each line of lines.txt."""
  code = 0
  for line in LINES.read_text().splitlines():
    if line.isdecimal():
      code = int(line)
      continue
    words, bar, line = line.rpartition('|')
    for short, long in WORDS.items():
      line = line.replace(short, long)
    argv = line.split()
    yield code, words.strip() if bar else argv[-1].partition('=')[0], argv


def ranges():
  """A line for each declared option, with a value that it may not have."""
  for path in [*declared.SECTIONS, *declared.PLAIN]:
    for i, (settings, option, o) in enumerate(declared.options_of(path)):
      values = [v for v in declared.outside(o)
                if v != 7]  # The text '7' is a valid name.
      if values:
        flags = {**settings, option: values[i % len(values)]}
        yield 2, f'--config.{option}=', [
            'train', '--config=configs/digits.py:ae', *(
                f'--config.{k}={v}' for k, v in flags.items())]


TABLE, RANGES = list(table()), list(ranges())
EVERY = [*TABLE, *RANGES]
FEW = [*TABLE, *RANGES[::5]]  # test_config.py has all ranges, in one process.
REST = [line for line in RANGES if line not in FEW]


@pytest.fixture(scope='module')
def home(tmp_path_factory):
  """A folder with a run and files of all kinds."""
  home = tmp_path_factory.mktemp('lines')
  tiny_trained.workdir(home / 'run', tiny_trained.held('ae'))
  for name in ('folder', 'folder.safetensors', 'three', 'tmp'):
    (home / name).mkdir()
  for name in ('file', 'bad.npz', 'bad.npy', 'bad.png'):
    (home / name).write_text('x')
  (home / 'bad.zip').write_text('no zip')
  (home / 'table.py').write_text('1 / 0')
  (home / 'link').symlink_to('file')
  for i in range(3):
    Image.new('RGB', (9, 9)).save(home / 'three' / f'{i}.png')
  for name, array in {
      'wrong': np.zeros((3, 7)), 'nan': np.full((3, 2), np.nan),
      'none': np.zeros((0, 2)), 'one': np.zeros((1, 8, 8, 1)),
      'two': np.zeros((2, 8, 8, 1)), 'large': np.full((2, 8, 8, 1), 7.),
      'objects': np.array([{}])}.items():
    np.save(home / f'{name}.npy', array)
  return home


@pytest.fixture(scope='module')
def server(home):
  server = forked.Server(ROOT, TMPDIR=str(home / 'tmp'))
  yield server
  server.close()


def faults(code, words, home, ended):
  """What is wrong with the end of a command line."""
  if ended.code != code:
    yield f'code {ended.code}, not {code}'
  if not ended.err.startswith('swae_jax: ') or ended.err.count('\n') != 1:
    yield 'not one line'
  if words not in ended.err or 'traceback' in ended.err.lower():
    yield f'not {words!r}'
  if ended.seconds > 10:
    yield f'{ended.seconds:.0f} s'


def check(lines, home, run):
  """Runs lines, and asserts that nothing is wrong with any."""
  wrong, before = [], sorted(home.rglob('*'))
  for code, words, argv in lines:
    ended = run(argv)
    found = list(faults(code, words, home, ended))
    if (after := sorted(home.rglob('*'))) != before:
      found.append(f'wrote {set(after) - set(before)}')
      before = after
    if found:
      wrong.append(f'{ascii(argv)}: {"; ".join(found)}: {ended.err[:500]}')
  assert not wrong, '\n' + '\n'.join(wrong)


@pytest.mark.parametrize('first', range(0, len(FEW), AT_ONCE))
def test_a_bad_line_ends_with_one_line_and_writes_nothing(first, home, server):
  check(FEW[first:first + AT_ONCE], home,
        lambda argv: server.run(argv, home, HOME=str(home)))


@pytest.mark.slow
def test_every_range_is_checked_on_the_command_line(home, server):
  check(REST, home, lambda argv: server.run(argv, home, HOME=str(home)))


def test_there_are_many_different_lines():
  assert len({tuple(argv) for _, _, argv in EVERY}) == len(EVERY) >= 400


def process(argv, home, **variables):
  """Ended of a process of its own."""
  argv = [os.fsencode(a) for a in argv]
  began = forked.time.monotonic()
  found = subprocess.run(
      [sys.executable, '-m', 'swae_jax', *argv], cwd=home, text=True,
      capture_output=True, errors='replace', timeout=60, env={
          **os.environ, 'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu',
          'HOME': str(home), 'TMPDIR': str(home / 'tmp'),
          'MPLCONFIGDIR': str(home.parent), **variables})
  return forked.Ended(found.returncode, found.stdout, found.stderr,
                      forked.time.monotonic() - began)


def test_a_process_of_its_own_says_the_same(home):
  check([line for line in TABLE if line[2][:1] == ['verify']][::5], home,
        lambda argv: process(argv, home))


@pytest.mark.slow
def test_twenty_processes_say_the_same(home):
  check(EVERY[::len(EVERY) // 20], home, lambda argv: process(argv, home))


ENVIRONMENTS = [
    ('JAX_PLATFORMS', 'cuda', 'train --config=configs/digits.py'),
    ('JAX_PLATFORMS', 'cuda', 'apply sample --workdir=run --output=x.png'),
    ('JAX_PLATFORMS', 'nosuch', 'export --workdir=run --output=x.safetensors'),
    ('JAX_NUM_CPU_DEVICES', 'x', 'train --config=configs/digits.py'),
    ('JAX_ENABLE_X64', 'maybe', 'apply sample --workdir=run --output=x.png'),
    ('OMPI_COMM_WORLD_SIZE', 'x', 'train --config=configs/digits.py'),
    ('JAX_DISABLE_JIT', '1', 'train --config=configs/digits.py --dry_run')]


@pytest.mark.parametrize('name, value, line', [
    pytest.param(*case, marks=pytest.mark.slow if i else ())
    for i, case in enumerate(ENVIRONMENTS)])
def test_a_bad_variable_is_named(name, value, line, home):
  check([(2, name.lower() if 'NUM' in name else name, shlex.split(line))], home,
        lambda argv: process(argv, home, **{name: value}))
