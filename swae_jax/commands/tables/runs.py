"""The runs of a table: which there are, what became of each, and the rest.

Beside what a run leaves in its workdir (files.py) there is cell.json: how the
run ended, and its config then.  Where there is none, it has not ended.
"""
import ast
import functools
from typing import Any, NamedTuple

import jax

from swae_jax import errors
from swae_jax.training import build, evaluation, loop, resume
from swae_jax.workdir import files, lock, storage

# Not of one run: no other would do better.
FATAL = errors.Stopped, errors.NotWritable, errors.SaveFailed


class Run(NamedTuple):
  """One run of a table."""
  name: str
  seed: int
  config: Any
  workdir: Any


def value_of(text, old):
  """A value of the type of `old`, from the command line."""
  if isinstance(old, str):
    return text
  if isinstance(old, bool):
    return {'true': True, 'false': False}[text.lower()]
  return (ast.literal_eval(text) if isinstance(old, (tuple, list))
          else type(old)(text))


def override(config, option, text):
  """Sets an option where the config has it.  Returns whether it has."""
  *path, name = option.split('.')
  try:
    section = functools.reduce(lambda part, key: part[key], path, config)
    old = section[name]
  except (KeyError, TypeError):
    return False
  try:
    section[name] = value_of(text, old)
  except (KeyError, TypeError, ValueError, SyntaxError):
    raise errors.UserError(f'--config.{option}={text}: it is such as {old!r}'
                           ) from None
  return True


def configs(table, cells, options):
  """{cell: config} of seed 0, with {option: text} where a config has them."""
  made = {cell: table.config(cell) for cell in cells}
  for option, text in options.items():
    if not any([override(config, option, text) for config in made.values()]):
      raise errors.UserError(f'no run of the table has an option {option!r}')
  return made


def runs(config, seeds, workdir):
  """The runs of a cell, one for each seed."""
  for seed in seeds:
    own = config.copy_and_resolve_references()
    own.seed = seed
    yield Run(config.name, seed, own,
              storage.path(workdir) / config.name / f'seed{seed}')


def shard(all_runs, index, count):
  """Part `index` of `count` of the runs: all parts together hold each once."""
  return all_runs[index::count]


def _cell(run):
  return files.read_json(run.workdir / 'cell.json')


def state(run):
  """How a run stands, and why: done, diverged, failed, begun or missing.

  'other options' if it ended with options that compute something else.
  """
  cell = _cell(run)
  if cell is None:
    begun = (run.workdir / 'config.json').exists()
    return 'begun' if begun else 'missing', ''
  differ = resume.differing(cell['config'], run.config)
  if differ:
    return 'other options', '; '.join(
        f'{k} is {old!r} there and {new!r} here'
        for k, (old, new) in list(differ.items())[:3])
  if cell['state'] == 'done' and not (run.workdir / 'results.json').exists():
    return 'begun', ''
  return cell['state'], cell['error']


def ended(run):
  """Whether nothing is left to do; a failure may not come again."""
  if state(run)[0] == 'diverged':  # It would again: the same to the last bit.
    return True
  return state(run)[0] == 'done' and not _evals_differ(_cell(run), run)


def _evals_differ(cell, run):
  return bool(resume.compare(cell['config'].get('evals', {}),
                             run.config.evals.to_dict()))


def _finish(run, like):
  """Trains, evaluates, and evaluates again what had finished otherwise."""
  loop.run(run.config, run.workdir, like)
  before = {'config': files.read_json(run.workdir / 'config.json')}
  if _evals_differ(before, run):
    with lock.hold(run.workdir):
      evaluation.again(run.workdir, run.config)


def _end(run, how, error=''):
  files.write_json(run.workdir / 'cell.json', {
      'state': how, 'error': error, 'config': run.config.to_dict()})


def work(all_runs):
  """Does what is left of the runs.  Returns (run, error) of what failed.

  The seeds of a cell, one after the other, share data and compiled functions.
  """
  failed, like, name = [], None, None
  for i, run in enumerate(all_runs):
    if ended(run):
      continue
    print(f'\nrun {i + 1} of {len(all_runs)}: {run.workdir}', flush=True)
    try:
      if like is None or name != run.name:
        like, name = build.build(run.config), run.name
      _finish(run, like)
      _end(run, 'done')
    except FATAL:
      raise
    except errors.Diverged as e:
      print(f'diverged: {e}', flush=True)
      _end(run, 'diverged', str(e))
    except (errors.UserError, jax.errors.JaxRuntimeError) as e:
      _, why = errors.explain(e)
      print(f'failed: {why}', flush=True)
      failed.append((run, e))
      done = (_cell(run) or {}).get('state') == 'done'
      if not done and not isinstance(e, errors.Busy):  # Another is at it.
        _end(run, 'failed', why)
  return failed
