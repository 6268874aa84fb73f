"""Looks at what a run needs: python -m swae_jax.doctor --data_dir=DIR.

Versions, devices, disk, memory, data sets, and whether a workdir is in use.
"""
import configparser
import importlib.metadata
import os
import pathlib
import platform
import shutil
import sys
import time

from absl import logging

from swae_jax import errors
from swae_jax.commands import cli
from swae_jax.workdir import lock, storage


def numbers(version):
  """'0.10.2' -> (0, 10, 2), for a comparison."""
  parts = version.split('+')[0].split('.')
  return tuple(int(part) if part.isdecimal() else 0 for part in parts)


def bounds():
  """{package: lowest version} of setup.cfg, where there is one."""
  path = pathlib.Path(__file__).parent.parent / 'setup.cfg'
  if not path.is_file():  # Not run from a checkout.
    return {}
  found = configparser.ConfigParser()
  found.read(path)
  lines = found['options']['install_requires'].split()
  return dict(line.split('>=') for line in lines if '>=' in line)


def versions():
  """Lines on packages, and whether each is new enough."""
  good = sys.version_info >= (3, 11)
  yield good, f'python {platform.python_version()}'
  for name, lowest in bounds().items():
    try:
      found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
      yield False, f'{name} is not installed: pip install "{name}>={lowest}"'
      continue
    good = numbers(found) >= numbers(lowest)
    yield good, f'{name} {found}' + ('' if good else f', needs {lowest}')


def machine():
  """Lines on the devices, with a tiny program on the first, disk, memory."""
  import jax
  began = time.monotonic()
  try:
    devices = jax.devices()
    total = float(jax.jit(lambda x: (x * 2).sum())(jax.numpy.ones(8)))
    yield total == 16, (
        f'{len(devices)} x {devices[0].device_kind} ({jax.default_backend()}); '
        f'a program compiled and ran in {time.monotonic() - began:.1f} s')
  except RuntimeError as e:  # A driver that does not fit, for the most part.
    yield False, f'JAX has no device: {" ".join(str(e).split())[:200]}'
  free = shutil.disk_usage('.').free / 2**30
  yield free > 1, f'{free:.1f} GiB of disk are free here'
  if hasattr(os, 'sysconf'):
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    yield memory > 2, f'{memory:.1f} GiB of memory'


def data_sets(data_dir):
  """Lines on the data sets in a folder."""
  folder = pathlib.Path(data_dir).expanduser()
  if not folder.is_dir():
    yield False, f'--data_dir={data_dir} is not there'
    return
  for path in sorted(p for p in folder.iterdir() if p.is_dir()):
    size = sum(p.stat().st_size for p in path.rglob('*') if p.is_file())
    yield True, f'{path.name}: {size / 2**20:.0f} MiB in {path}'
  from swae_jax.evals.inception import weights
  try:
    yield True, f'Inception weights: {weights.find(data_dir)}'
  except errors.MissingData:
    yield True, 'no Inception weights: the Frechet distance needs them'


def workdir_lines(workdir):
  """Lines on a workdir: whether it can be written and is in use."""
  there = storage.path(workdir)
  if not storage.in_bucket(there):  # Only a try would tell.
    while not there.exists():
      there = there.parent
    good = os.access(there, os.W_OK | os.X_OK)
    yield good, f'{there} can {"" if good else "not "}be written'
  holder = lock.holder(workdir)
  yield True, f'in use by {holder}' if holder else 'not in use'


def main():
  """Prints what it finds; exit code 2 if something is missing."""
  parser = cli.parser(__doc__)
  parser.add_argument('--data_dir', help='the folder of the data sets')
  parser.add_argument('--workdir', help='the workdir of a run')
  asked = parser.parse_args()
  logging.set_verbosity(logging.WARNING)
  parts = {'versions': versions(), 'machine': machine()}
  if asked.data_dir:
    parts['data'] = data_sets(asked.data_dir)
  if asked.workdir:
    parts['workdir'] = workdir_lines(asked.workdir)
  try:
    bad = 0
    for part, found in parts.items():
      for good, line in found:
        print(f'{part:10}{"" if good else "NO: "}{line}', flush=True)
        bad += not good
    if bad:
      raise errors.UserError(f'{bad} of the above will not do')
  except (Exception, KeyboardInterrupt) as e:
    errors.end(e)


if __name__ == '__main__':
  main()
