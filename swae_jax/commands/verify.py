"""Checks every file that a run has left, and changes nothing.

  swae verify --workdir=DIR

Every array of a checkpoint must have the digest that was saved with it, and the
lines of metrics must be whole and in the order of their steps.  There is one
line for each file and checkpoint.  Exit code 65: something is damaged.
"""
from collections.abc import Iterator
import json

from swae_jax import errors
from swae_jax.commands import cli
from swae_jax.workdir import storage

Finding = tuple[str, str]  # name of a file or checkpoint; its fault or ''


def verify(workdir: storage.Path) -> Iterator[Finding]:
  """Yields a finding on each file and each checkpoint of a run."""
  if not (workdir / 'config.json').is_file():
    raise errors.UserError(f'{workdir} holds no run: it has no config.json; '
                           'give the --workdir of a run')
  for check, names in (
      (_fault_of_json, ('config.json', 'run.json', 'results.json')),
      (_fault_of_lines, ('metrics.jsonl', 'valid.jsonl'))):
    for name in names:
      if (workdir / name).exists():
        yield name, check(workdir / name)
  for name in ('checkpoints', 'best'):
    yield from _checkpoints(workdir / name)


def _fault_of_json(path: storage.Path) -> str:
  try:
    json.loads(path.read_text())
  except ValueError as e:
    return f'not JSON: {e}'
  return ''


def _fault_of_lines(path: storage.Path) -> str:
  steps = []
  for number, line in enumerate(path.read_text().splitlines(), 1):
    try:
      steps.append(json.loads(line)['step'])
    except (ValueError, KeyError, TypeError) as e:
      return f'line {number} is damaged: {e!r}'
    if steps[1:] and steps[-1] <= steps[-2]:
      return f'line {number}: step {steps[-1]} comes after {steps[-2]}'
  return ''


def _checkpoints(folder: storage.Path) -> Iterator[Finding]:
  from swae_jax.workdir import checkpoint
  with checkpoint.Checkpoints(folder) as checkpoints:
    for step in checkpoints.steps():
      fault = ''
      try:
        found = checkpoints.read(step)['step']
        if found != step:
          fault = f'it holds the state of step {found}'
      except errors.DamagedData as e:
        fault = str(e)
      yield f'{folder.name}/{step}', fault


def main(argv: list[str]) -> None:
  """Prints what was checked; ends with code 65 if something is damaged."""
  parser = cli.parser(__doc__, prog='swae verify')
  parser.add_argument('--workdir', required=True, metavar='DIR',
                      help='the workdir of a run')
  workdir = parser.parse_args(argv).workdir
  from absl import logging
  logging.set_verbosity(logging.WARNING)
  damaged = []
  for what, fault in verify(storage.path(workdir)):
    print(f'{what:24}{fault or "ok"}', flush=True)
    if fault:
      damaged.append(what)
  if damaged:
    raise errors.DamagedData(
        f'{workdir}: {len(damaged)} damaged, first {damaged[0]}')
