"""What a run or an exported file holds of a trained system."""
import hashlib
import json
from typing import NamedTuple

import jax
import ml_collections
import numpy as np

from swae_jax import build, checkpoint, digests, errors, evaluate, record
from swae_jax.objectives import base


class Saved(NamedTuple):
  """A trained system, as a run or a file keeps it."""
  about: dict  # config; input, as of evaluate.inputs; epoch; step
  objective: base.Objective
  variables: base.Variables  # On the host.


def of_workdir(workdir):
  """What a run has learned."""
  config = evaluate.load_config(workdir)
  run = record.read_json(workdir / 'run.json') or {}
  if 'input' not in run:
    raise errors.UserError(
        f'{workdir} does not say what images its system takes (run.json has no '
        "'input'): train it once more")
  where = checkpoint.evaluated(workdir, config.train.select)
  about = {'config': config.to_dict(), 'input': run['input'],
           'epoch': run['epoch']}
  objective, like = system(about)
  with checkpoint.Checkpoints(where) as checkpoints:
    step = checkpoints.latest_step()
    if step is None:
      raise errors.UserError(f'{where} holds no checkpoint yet; train first')
    try:
      arrays = checkpoints.read(step, ('variables',))
    except errors.DamagedData as e:
      raise errors.DamagedData(f'{where}: {e}') from e
  variables = checkpoint.rebuild({'variables': like}, arrays, where / str(step),
                                 'use the version of swae_jax that trained it')
  return Saved({**about, 'step': step}, objective, variables['variables'])


def of_file(path):
  """What swae_jax.export has written."""
  try:
    import safetensors
  except ImportError:
    raise errors.UserError(
        f'{path}: reading it needs safetensors: pip install safetensors'
        ) from None
  try:
    with safetensors.safe_open(path, framework='numpy') as file:
      head = file.metadata() or {}
      arrays = {name: file.get_tensor(name) for name in file.keys()}
  except (safetensors.SafetensorError, OSError) as e:
    raise errors.DamagedData(
        f'{path}: no safetensors file, or a part of one ({e})') from e
  if 'swae_jax' not in head:
    raise errors.UserError(f'{path} was not written by swae_jax.export')
  if head.get('sha256') != seal(head['swae_jax'], arrays):
    raise errors.DamagedData(
        f'{path} is damaged: its digest differs; fetch or export it again')
  about = json.loads(head['swae_jax'])
  objective, like = system(about)
  return Saved(about, objective, checkpoint.rebuild(
      like, arrays, path, 'use the version of swae_jax that exported it'))


def seal(text, variables):
  """One digest of all that a file holds."""
  content = f'{text}\n{digests.summary(variables)}'
  return hashlib.sha256(content.encode()).hexdigest()


def system(about):
  """The objective, and its variables as shapes alone."""
  known = base.Data(tuple(about['input']['shape']), about['input']['bounded'],
                    about['epoch'])
  objective = build.objective(ml_collections.ConfigDict(about['config']), known)
  x = jax.ShapeDtypeStruct((objective.examples, *known.shape), np.float32)
  return objective, jax.eval_shape(objective.init, jax.random.key(0), x)
