"""Checks all that a run has left: python -m swae_jax.verify --workdir=DIR.

Every array of every checkpoint against its digest, every line of metrics, and
that each step is there once.  Nothing is changed.
"""
import json

from absl import logging

from swae_jax import errors
from swae_jax.commands import cli
from swae_jax.workdir import storage


def verify(workdir):
  """Yields (what, '' or what is wrong with it)."""
  workdir = storage.path(workdir)
  if not (workdir / 'config.json').is_file():
    raise errors.UserError(f'{workdir} holds no run: it has no config.json')
  for name in ('config.json', 'run.json', 'results.json'):
    if (workdir / name).exists():
      yield name, _fault_of_json(workdir / name)
  for name in ('metrics.jsonl', 'valid.jsonl'):
    if (workdir / name).exists():
      yield name, _fault_of_lines(workdir / name)
  for name in ('checkpoints', 'best'):
    yield from _checkpoints(workdir / name)


def _fault_of_json(path):
  try:
    json.loads(path.read_text())
  except ValueError as e:
    return f'no JSON: {e}'
  return ''


def _fault_of_lines(path):
  steps = []
  for number, line in enumerate(path.read_text().splitlines(), 1):
    try:
      steps.append(json.loads(line)['step'])
    except (ValueError, KeyError, TypeError) as e:
      return f'line {number} is damaged: {e!r}'
    if steps[1:] and steps[-1] <= steps[-2]:
      return f'line {number}: step {steps[-1]} comes after {steps[-2]}'
  return ''


def _checkpoints(folder):
  from swae_jax.workdir import checkpoint
  with checkpoint.Checkpoints(folder) as checkpoints:
    for step in checkpoints.steps():
      fault = ''
      try:
        arrays = checkpoints.read(step)
        if arrays['step'] != step:
          fault = f'it is the state of step {arrays["step"]}'
      except errors.DamagedData as e:
        fault = str(e)
      yield f'{folder.name}/{step}', fault


def main(argv=None):
  """Prints what was checked; exit code 65 if something is damaged."""
  parser = cli.parser(__doc__, prog='swae verify')
  parser.add_argument('--workdir', required=True, help='the workdir of a run')
  workdir = parser.parse_args(argv).workdir
  logging.set_verbosity(logging.WARNING)
  try:
    damaged = []
    for what, fault in verify(workdir):
      print(f'{what:24}{fault or "ok"}', flush=True)
      damaged += [what] if fault else []
    if damaged:
      raise errors.DamagedData(
          f'{workdir}: {len(damaged)} damaged, first {damaged[0]}')
  except (Exception, KeyboardInterrupt) as e:
    errors.end(e)


if __name__ == '__main__':
  main()
