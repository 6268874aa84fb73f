"""Checks packages, devices, disk, memory and data of this machine.

  swae doctor [--data_dir=DIR] [--workdir=DIR]

Every line names one thing that was found.  A line with NO: names a problem.
The command starts even if no package is installed.
"""
import collections
from collections.abc import Iterable, Iterator, Mapping
import configparser
import importlib.metadata
import os
import pathlib
import platform
import re
import shutil
import sys
import time

from swae_jax import errors
from swae_jax.commands import cli

NEEDED = ('', 'train')  # The base, and the extra that training needs.
OPTIONAL = {'gcs': 'for workdirs in a bucket, gs://',
            'sinkhorn': 'for the penalty sinkhorn',
            'tensorboard': 'for config.train.tensorboard',
            'tfds': 'for data sets that tensorflow-datasets has prepared'}
Line = tuple[bool, str]  # Whether it is good, and the text.


def numbers(version: str) -> tuple[int, ...]:
  """'0.10.2' -> (0, 10, 2), for a comparison."""
  parts = version.split('+')[0].split('.')
  return tuple(int(part) if part.isdecimal() else 0 for part in parts)


def required(extra: str) -> dict[str, str]:
  """{package: lowest version} of the base ('') or of an extra."""
  found = {}
  for line in _requirements(extra):
    match = re.match(r'([\w.-]+)(?:\[.*?\])?\s*>=\s*([\w.]+)', line)
    if match and match[1] != 'swae_jax':
      found[match[1]] = match[2]
  return found


def _requirements(extra: str) -> list[str]:
  path = pathlib.Path(__file__).parents[2] / 'setup.cfg'
  if path.is_file():  # A checkout, installed or not.
    file = configparser.ConfigParser()
    file.read(path, encoding='utf-8')
    return (file['options.extras_require'][extra] if extra
            else file['options']['install_requires']).split('\n')
  try:
    lines = importlib.metadata.requires('swae_jax') or []
  except importlib.metadata.PackageNotFoundError:  # A copy of the folder.
    return []
  return [line for line in lines if (
      f'extra == "{extra}"' in line.replace("'", '"') if extra
      else 'extra ==' not in line)]


def packages() -> Iterator[Line]:
  """Lines on Python and the packages: whether each is new enough."""
  good = sys.version_info >= (3, 11)
  yield good, f'python {platform.python_version()}' + (
      '' if good else '; 3.11 or later is needed')
  needed = {}
  for extra in NEEDED:
    needed |= required(extra)
  yield from _found(needed)
  for extra, what in OPTIONAL.items():
    missing = [line for good, line in _found(required(extra)) if not good]
    yield True, f'{extra}: ' + (
        f"not installed, needed only {what}: pip install 'swae_jax[{extra}]'"
        if missing else f'installed, {what}')


def _found(needed: dict[str, str]) -> Iterator[Line]:
  for name, lowest in needed.items():
    try:
      version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
      yield False, f'{name} is not installed; {lowest} or later is needed'
      continue
    good = numbers(version) >= numbers(lowest)
    yield good, f'{name} {version}' + (
        '' if good else f'; {lowest} or later is needed')


def machine() -> Iterator[Line]:
  """Lines on devices, with a small program on the first, disk and memory."""
  yield _devices()
  free = shutil.disk_usage('.').free / 2**30
  yield free > 1, f'{free:.1f} GiB of disk are free here'
  if hasattr(os, 'sysconf'):
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    yield memory > 2, f'{memory:.1f} GiB of memory'


def _devices() -> Line:
  began = time.monotonic()
  try:
    import jax
    devices = jax.devices()
    total = float(jax.jit(lambda x: (x * 2).sum())(jax.numpy.ones(8)))
  except ImportError:
    return False, 'jax is not installed, so the devices are not known'
  except Exception as e:  # Drivers fail in many ways.
    why = ' '.join(str(e).split())[:200] or type(e).__name__
    asked = os.environ.get('JAX_PLATFORMS')
    hint = f'; JAX_PLATFORMS is {asked!r}: unset it' if asked else ''
    return False, f'JAX has no device: {why}{hint}'
  return total == 16, (
      f'{len(devices)} x {devices[0].device_kind} ({jax.default_backend()}); '
      f'a program compiled and ran in {time.monotonic() - began:.1f} s')


def data_sets(data_dir: str) -> Iterator[Line]:
  """Lines on the data sets in a folder."""
  folder = errors.path(data_dir)
  if not folder.is_dir():
    yield False, f'--data_dir={data_dir} is no folder'
    return
  for path in sorted(p for p in folder.iterdir() if p.is_dir()):
    size = sum(p.stat().st_size for p in path.rglob('*') if p.is_file())
    yield True, f'{path.name}: {size / 2**20:.0f} MiB in {path}'
  from swae_jax.evals.inception import weights
  try:
    yield True, f'Inception weights: {weights.find(data_dir)}'
  except errors.MissingData:
    yield True, ('no Inception weights; only the evaluator fid needs them: '
                 'swae prepare inception')


def workdir(name: str) -> Iterator[Line]:
  """Lines on a workdir: whether it is writable, and whether it is in use."""
  from swae_jax.workdir import lock, storage
  there = storage.path(name)
  if not storage.in_bucket(there):  # A bucket tells only when written to.
    while not there.exists():
      there = there.parent
    if not there.is_dir():
      yield False, f'{there} is a file; give another --workdir'
      return
    good = os.access(there, os.W_OK | os.X_OK)
    yield good, f'{there} is {"" if good else "not "}writable'
  holder = lock.holder(storage.path(name))
  yield True, f'in use by {holder}' if holder else 'not in use'


def show(parts: Mapping[str, Iterable[Line]]) -> collections.Counter[str]:
  """Prints the lines of each part; returns the number of NO lines by part."""
  bad = collections.Counter()
  for part, lines in parts.items():
    for good, line in lines:
      print(errors.printable(f'{part:10}{"" if good else "NO: "}{line}'),
            flush=True)
      bad[part] += not good
  return bad


def main(argv: list[str]) -> None:
  """Prints all lines; ends with code 2 if a line has NO."""
  parser = cli.parser(__doc__, prog='swae doctor')
  parser.add_argument('--data_dir', metavar='DIR',
                      help='also check this folder of data sets')
  parser.add_argument('--workdir', metavar='DIR',
                      help='also check this workdir of a run')
  asked = parser.parse_args(argv)
  parts = {'packages': packages(), 'machine': machine()}
  if asked.data_dir:
    parts['data'] = data_sets(asked.data_dir)
  if asked.workdir:
    parts['workdir'] = workdir(asked.workdir)
  bad = show(parts)
  if bad.total():
    raise errors.UserError(
        f'{bad.total()} line(s) say NO' + (
            "; pip install 'swae_jax[train]' installs the packages"
            if bad['packages'] else ''))
