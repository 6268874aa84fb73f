"""A trained system as a workdir or an exported file keeps it."""
from collections.abc import Mapping
import hashlib
import json
import math
import os
from typing import Any, NamedTuple

from swae_jax import errors
from swae_jax.systems import base
from swae_jax.training import build, choice
from swae_jax.training import step as step_lib
from swae_jax.workdir import checkpoint, digests, folder, identity, storage

LARGEST = 1 << 16  # pixels on a side


class Saved(NamedTuple):
  """A trained system, read from a workdir or a file."""
  about: dict[str, Any]  # config, input, steps_per_epoch, step
  system: base.System
  variables: base.Variables  # on the host


def of_workdir(workdir: storage.Path) -> Saved:
  """The Saved of a run."""
  storage.check_plain(workdir)
  config = folder.read_config(workdir)
  run, own = identity.read_about(workdir), folder.find_identity(workdir)
  if run is None:
    raise errors.DamagedData(
        f'{workdir} has no run.json, which tells the shape of the images; the '
        'training command of the run makes it anew')
  try:
    folder.read_results(workdir)
  except identity.Foreign:
    raise
  except errors.DamagedData:
    pass  # A model needs no results.
  where = folder.evaluated(workdir, config)
  about = {'config': config.to_dict(), 'input': run['input'],
           'steps_per_epoch': run.get('steps_per_epoch')}
  made, like = _system(about, workdir)
  with checkpoint.Checkpoints(where, own=own) as checkpoints:
    try:
      found = checkpoints.newest(('variables',))
    except identity.Foreign:
      raise
    except errors.DamagedData as e:
      raise errors.DamagedData(f'{where}: {e}') from e
    if found is None:
      raise errors.UserError(f'{where} holds no checkpoint yet; train first')
    name, arrays = found
    step = checkpoints.record.get('step', name)
  variables = digests.rebuild({'variables': like}, arrays, where / str(name),
                              'use the version of swae_jax that trained it')
  return Saved({**about, 'step': step}, made, variables['variables'])


def of_file(path: storage.Path) -> Saved:
  """The Saved of a .safetensors file that `swae export` wrote."""
  try:
    import safetensors
  except ImportError:
    raise errors.UserError(
        f'{path}: reading it needs safetensors: pip install safetensors'
        ) from None
  if not os.path.isfile(path):
    raise errors.MissingData(f'{path}: it is no plain file')
  try:
    with safetensors.safe_open(path, framework='numpy') as file:
      head = file.metadata() or {}
      arrays = {name: file.get_tensor(name) for name in file.keys()}
  except (safetensors.SafetensorError, OSError) as e:
    raise errors.DamagedData(
        f'{path}: no safetensors file, or an incomplete one ({e})') from e
  if 'swae_jax' not in head:
    raise errors.UserError(f'{path} was not written by swae export')
  if head.get('sha256') != seal(head['swae_jax'], arrays):
    raise errors.DamagedData(
        f'{path} is damaged: its digest differs; copy or export it again')
  try:
    about = json.loads(head['swae_jax'])
  except (ValueError, RecursionError) as e:
    raise _no_system(path, e) from e
  made, like = _system(about, path)
  return Saved(about, made, digests.rebuild(
      like, arrays, path, 'use the version of swae_jax that exported it'))


def _no_system(path, fault) -> errors.DamagedData:
  return errors.DamagedData(
      f'{path} does not describe a system ({type(fault).__name__}: {fault}); '
      'copy or export it again')


def _system(about, path) -> tuple[base.System, base.Variables]:
  """`system` of facts that a stranger may have written."""
  try:
    shape = about['input']['shape']
    sound = len(shape) == 3 and all(
        type(n) is int and 0 < n <= LARGEST for n in shape)
    numbers = about.get('step', 0), about['steps_per_epoch']
    if not sound or any(type(n) is not int for n in numbers):
      raise ValueError(f'images of {shape}, step and steps an epoch {numbers}')
    return system(about)
  except errors.UserError:
    raise
  except Exception as e:  # Whatever stands there may fit nowhere.
    raise _no_system(path, e) from e


def seal(text: str, variables: Any) -> str:
  """One digest of the whole content of a file."""
  content = f'{text}\n{digests.summary(variables)}'
  return hashlib.sha256(content.encode()).hexdigest()


def system(about: Mapping[str, Any]) -> tuple[base.System, base.Variables]:
  """The system, and its variables as shapes alone."""
  given = about['input']
  spec = base.Spec(tuple(given['shape']), given['bounded'], given['binarize'],
                   about['steps_per_epoch'])
  config, _ = build.fitted(choice.chosen(about['config']),
                           given.get('examples', math.inf))
  made = build.system(config, spec)
  return made, step_lib.variable_shapes(made, spec.shape)
