"""The runs of a table: lists them, tells their state, and trains the rest.

The workdir of each run also has cell.json, which says how the run ended and
with which config.  Without cell.json the run has not ended.
"""
import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
import contextlib
import json
from typing import Any, NamedTuple

import jax

from swae_jax import errors
from swae_jax.commands.tables.papers import base
from swae_jax.data import base as data_base
from swae_jax.training import build, choice, evaluation, parts, resume, train
from swae_jax.training import config as config_lib
from swae_jax.workdir import files, folder, storage

# Errors that every other run would meet, too; they end the table.
FATAL = errors.Stopped, errors.NotWritable, errors.SaveFailed


class Run(NamedTuple):
  """One run of a table."""
  name: str
  seed: int
  config: Any  # the chosen options
  workdir: Any


def _value(option: str, text: str, old: Any) -> Any:
  """A value of the type of `old`, from the command line."""
  try:
    if isinstance(old, str):
      return text
    if isinstance(old, bool):
      return {'true': True, 'false': False}[text.lower()]
    return (ast.literal_eval(text) if isinstance(old, (tuple, list))
            else type(old)(text))
  except (KeyError, TypeError, ValueError, SyntaxError):
    raise config_lib.mistyped(option, text) from None


# A choice decides which options exist, so choices are set before options.
_PASSES = (lambda option: option == 'system.name',
           lambda option: option.endswith(('.name', '.run')),
           lambda option: True)


def override(config: Any, given: Mapping[str, str]) -> set[str]:
  """Sets those given options that the run has; returns their names."""
  used = set()
  for which in _PASSES if given else ():
    known = config_lib.flat(choice.chosen(config).to_dict()) | {
        f'evals.{name}.run': own.run for name, own in config.evals.items()}
    for option, text in given.items():
      if which(option) and option in known and option not in used:
        config_lib.put(config, option, _value(option, text, known[option]))
        used.add(option)
    choice.settle(config, used)
  return used


def configs(table: base.Table, cells: Iterable[base.Cell],
            given: Mapping[str, str]) -> dict[base.Cell, Any]:
  """{cell: the chosen options}; sets each given option in runs that have it."""
  every = config_lib.defaults()
  for option, text in given.items():
    config_lib.find(every, option, text)
    if option in ('seed', 'name'):
      raise errors.UserError(f'--config.{option}={text}: each run of a table '
                             'has its own; give --seeds, or another --workdir')
  made, used = {}, set()
  for cell in cells:
    config = table.config(cell)
    used |= override(config, given)
    made[cell] = choice.chosen(config)
  for option, text in given.items():
    if option not in used:
      raise errors.UserError(
          f'--config.{option}={text}: no run of the table has this option')
  return made


def runs(config: Any, seeds: Iterable[int], workdir: Any) -> Iterator[Run]:
  """The runs of a cell, one for each seed."""
  for seed in seeds:
    own = config.copy_and_resolve_references()
    own.seed = seed
    yield Run(config.name, seed, own,
              storage.path(workdir) / config.name / f'seed{seed}')


def shard(all_runs: Sequence[Run], index: int, count: int) -> Sequence[Run]:
  """Part `index` of `count` parts; each run is in exactly one part."""
  return all_runs[index::count]


def _cell(run: Run) -> Any:
  return files.read_json(run.workdir / 'cell.json', 'state', 'config', 'error')


def results(run: Run) -> dict[str, Any]:
  """{metric: its record} of a finished run."""
  found = folder.read_results(run.workdir) or {'metrics': ()}
  return {m['name']: m for m in found['metrics']}


def check_data(all_runs: Iterable[Run], load: bool = False) -> None:
  """Refuses finished runs whose results are of different data.

  Args:
    all_runs: the runs of a table.
    load: also compares with the data that are there now, if there are any.

  Raises:
    errors.UserError: the results of a run are not of the data of the others.
  """
  known = {}
  for run in all_runs:
    found = folder.read_results(run.workdir) if state(run)[0] == 'done' else {}
    mine = (found or {}).get('data', {}).get('fingerprint')
    if not mine:  # Version 0.1.0 recorded none.
      continue
    key = json.dumps({k: v for k, v in run.config.data.to_dict().items()
                      if k not in parts.Folders._fields})
    if key not in known:
      known[key] = f'those of {run.workdir}', mine
      if load:
        with contextlib.suppress(errors.MissingData):
          known[key] = 'the data that are there now', data_base.fingerprint(
              parts.make('data', run.config))
    where, expected = known[key]
    if differ := resume.compare(mine, expected):
      raise errors.UserError(
          f'{run.workdir} has results of other data than {where}: '
          f'{", ".join(differ)} differ; give the data of the run by '
          '--data_dir, or another --workdir')


def state(run: Run) -> tuple[str, str]:
  """The state of a run, and the reason for it.

  The state is done, diverged, failed, begun or missing, or 'other options' if
  the run ended with options that compute another run.
  """
  try:
    cell = _cell(run)
  except errors.DamagedData:
    return 'begun', 'cell.json is damaged; the same command makes it again'
  if cell is None:
    begun = (run.workdir / 'config.json').exists()
    return 'begun' if begun else 'missing', ''
  differ = resume.differing(cell['config'], run.config)
  if differ:
    return 'other options', '; '.join(
        f'{k} is {old!r} there and {new!r} here'
        for k, (old, new) in list(differ.items())[:3])
  try:
    lost = cell['state'] == 'done' and folder.read_results(run.workdir) is None
  except errors.DamagedData as e:
    return 'begun', str(e)
  if lost:
    return 'begun', ''
  return cell['state'], cell['error']


def ended(run: Run) -> bool:
  """Whether nothing is left to do; False for a failed run, which runs again."""
  how, _ = state(run)
  # A run that diverged would diverge again, since it repeats every bit.
  return how == 'diverged' or how == 'done' and not _evals_differ(
      _cell(run)['config'], run)


def _evals_differ(config: Mapping[str, Any], run: Run) -> bool:
  return bool(resume.compare(config.get('evals', {}),
                             run.config.evals.to_dict()))


def _finish(run: Run, reuse: build.Run) -> None:
  """Trains and evaluates; evaluates again if the evaluators have changed."""
  train.run(run.config, run.workdir, reuse)
  if _evals_differ(files.read_json(run.workdir / 'config.json') or {}, run):
    evaluation.again(run.workdir, run.config)


def _end(run: Run, how: str, error: str = '') -> None:
  files.write_json(run.workdir / 'cell.json', {
      'state': how, 'error': error, 'config': run.config.to_dict()})


def _fail(run: Run, error: Exception) -> None:
  """Prints why a run failed; records it unless the run had ended."""
  _, why = errors.explain(error)
  print(f'failed: {errors.printable(why)}', flush=True)
  with contextlib.suppress(errors.DamagedData):
    cell = _cell(run)
    if cell and cell['state'] == 'done':
      return
  if not isinstance(error, errors.Busy):  # Another process has it.
    _end(run, 'failed', why)


def work(all_runs: Sequence[Run]) -> list[tuple[Run, Exception]]:
  """Trains the runs that are left; returns (run, error) of each failed one.

  The seeds of a cell, one after the other, share data and compiled functions.
  """
  check_data(all_runs, load=True)
  failed, reuse, name = [], None, None
  for i, run in enumerate(all_runs):
    if ended(run):
      continue
    print(f'\nrun {i + 1} of {len(all_runs)}: '
          f'{errors.printable(run.workdir)}', flush=True)
    try:
      if reuse is None or name != run.name:
        reuse, name = build.build(run.config), run.name
    except errors.UserError as e:  # No run has begun, so none is marked.
      print(f'failed: {e}', flush=True)
      failed.append((run, e))
      continue
    try:
      _finish(run, reuse)
      _end(run, 'done')
    except FATAL:
      raise
    except errors.Diverged as e:
      print(f'diverged: {errors.printable(e)}', flush=True)
      _end(run, 'diverged', str(e))
    except (errors.UserError, jax.errors.JaxRuntimeError) as e:
      _fail(run, e)
      failed.append((run, e))
  return failed
