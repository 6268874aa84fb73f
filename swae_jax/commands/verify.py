"""Checks every file that a run or an export has left, and changes nothing.

  swae verify --workdir=RUN
  swae verify --model=FILE   # .safetensors or .stablehlo

Each file must have the digest that was written with it and be of the run that
run.json names.  Each line of metrics must be there, in the order of the steps,
and a finished run must have the checkpoint of its last step.  There is one line
for each file and checkpoint.  Exit code 65: something is damaged, missing or of
another run.
"""
from collections.abc import Callable, Generator, Iterator
import contextlib
import hashlib
import json
from typing import Any

from swae_jax import errors
from swae_jax.commands import cli
from swae_jax.workdir import storage

Finding = tuple[str, str]  # name of a file or checkpoint; its fault or ''


def verify(workdir: storage.Path) -> Iterator[Finding]:
  """Yields a finding on each file and each checkpoint of a run."""
  from swae_jax.workdir import files, folder
  if not any((workdir / name).exists() for name in folder.CONTENT):
    folder.read_config(workdir)  # It raises the error.
  about = _fault(_check_about, workdir)
  fault = _fault(folder.read_config, workdir)
  # Damage of run.json has a line of its own.
  yield 'config.json', fault if fault != about else ''
  yield 'run.json', about
  own = None
  with contextlib.suppress(errors.DamagedData):
    own = folder.find_identity(workdir)
  newest, last = yield from _checkpoints(workdir / 'checkpoints', own)
  yield from _checkpoints(workdir / 'best', own)
  for name in ('metrics.jsonl', 'valid.jsonl'):
    fault = _fault(_check_log, workdir / name, newest)
    if fault or (workdir / name).exists():
      yield name, fault
  if (workdir / 'config_changes.jsonl').exists():
    yield 'config_changes.jsonl', _fault(
        _check_lines, workdir / 'config_changes.jsonl')
  if (workdir / 'results.json').exists():
    fault = _fault(_check_results, workdir, last)
    yield 'results.json', fault if fault != about else ''
  if (workdir / 'cell.json').exists():
    yield 'cell.json', _fault(files.read_json, workdir / 'cell.json')


def verify_export(path: storage.Path) -> Iterator[Finding]:
  """Yields a finding on each file that `swae export` wrote."""
  if not path.is_dir():
    from swae_jax.training import saved
    yield path.name, _fault(saved.of_file, path)
    return
  sums = path / 'SHA256SUMS'
  if not sums.exists():
    raise errors.UserError(f'{path} is no export: it has no SHA256SUMS')
  for line in sums.read_bytes().decode(errors='replace').splitlines():
    digest, _, name = line.partition('  ')
    file = path / name
    content = file.read_bytes() if name and file.is_file() else None
    yield name or sums.name, '' if content is not None and hashlib.sha256(
        content).hexdigest() == digest else 'its digest differs'


def _fault(check: Callable, *args: Any) -> str:
  """What a check raises, in words, or ''."""
  try:
    check(*args)
  except errors.Busy:
    raise
  except errors.UserError as e:
    return str(e)
  return ''


def _check_about(workdir: storage.Path) -> None:
  from swae_jax.workdir import identity
  if identity.read_about(workdir) is None:
    raise errors.DamagedData('it is not there; the training command of the run '
                             'makes it anew')


def _check_lines(path: storage.Path) -> None:
  for number, line in enumerate(path.read_bytes().splitlines(), 1):
    try:
      json.loads(line)
    except (ValueError, RecursionError) as e:
      raise errors.DamagedData(f'line {number}: {e}') from e


def _check_log(path: storage.Path, newest: dict[str, Any]) -> None:
  from swae_jax.workdir import metrics_log
  _, faults = metrics_log.parse(path.read_bytes() if path.exists() else b'')
  log = metrics_log.Metrics(path, newest.get('step', 0), write=False)
  faults += log.lost(newest.get('logs', {}).get(path.name))
  if faults:
    raise errors.DamagedData(faults[0])


def _check_results(workdir: storage.Path, last: int) -> None:
  from swae_jax.workdir import folder
  found = folder.read_results(workdir) or {}
  if found.get('step', 0) > last:
    raise errors.DamagedData(
        f'the run has ended at step {found["step"]}, but its checkpoint is not '
        'there')
  data = found.get('data', {}).get('fingerprint', {}).get('sha256', '')
  for metric in found['metrics']:
    if not data.startswith(metric.get('data', '')):
      raise errors.DamagedData(f'{metric["name"]} is of other data')


def _checkpoints(folder: storage.Path, own: Any
                 ) -> Generator[Finding, None, tuple[dict[str, Any], int]]:
  """Yields a finding on each checkpoint.

  Returns the record of the newest whole one, and the step of the newest one.
  """
  from swae_jax.workdir import checkpoint
  newest, last, read = {}, -1, False
  with checkpoint.Checkpoints(folder, own=own) as checkpoints:
    for _ in range(checkpoint.LISTS):
      names = checkpoints.steps()
      for name in names:
        try:
          fault = _fault(checkpoints.read, name)
        except checkpoint.Deleted:  # A live run has deleted the checkpoint.
          continue
        read, last = True, checkpoints.step_of(name)
        if not fault:
          last = checkpoints.record.get('step', name)
          newest = {**checkpoints.record, 'step': last}
          if last != name:
            fault = f'it holds the state of step {last}'
        yield f'{folder.name}/{name}', fault
      if read or not names:
        break
  return newest, last


def main(argv: list[str]) -> None:
  """Prints what was checked; ends with code 65 if something is damaged."""
  parser = cli.parser(__doc__, prog='swae verify')
  cli.add_model(parser)
  path = storage.path(parser.parse_args(argv).model)
  from absl import logging
  logging.set_verbosity(logging.FATAL)
  export = path.is_file() or path.suffix == '.stablehlo'
  damaged = []
  if not export:
    storage.check_plain(path)
  for what, fault in (verify_export if export else verify)(path):
    print(errors.printable(f'{what:24}{fault or "ok"}'), flush=True)
    if fault:
      damaged.append(what)
  if damaged:
    raise errors.DamagedData(
        f'{path}: {len(damaged)} damaged, first {damaged[0]}')
  if not export:
    _show(path)


def _show(workdir: storage.Path) -> None:
  """Prints the names of a whole run."""
  from swae_jax.workdir import folder
  own = folder.find_identity(workdir)
  for name, digest in own.stamp().items() if own else ():
    print(f'{name:24}{digest}')
