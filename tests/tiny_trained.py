"""Trained systems of no training at all, in memory and in a workdir."""
import json
from typing import Any, NamedTuple

import jax
import numpy as np

from swae_jax.training import choice, saved
from swae_jax.workdir import checkpoint, files
import tiny

DIGITS = {'shape': [8, 8, 1], 'dtype': 'uint8',
          'bounded': True, 'binarize': False, 'classes': 10}


class State(NamedTuple):
  """A state with the parts of a real one that matter here."""
  step: Any
  variables: Any
  rest: Any  # the part that only training needs


def variables(like, seed=0):
  """Numbers in place of shapes; variances are positive."""
  rng = np.random.default_rng(seed)

  def fill(path, leaf):
    x = .3 * rng.normal(size=leaf.shape)
    return np.asarray(abs(x) + .5 if 'var' in jax.tree_util.keystr(path) else x,
                      leaf.dtype)

  return jax.tree_util.tree_map_with_path(fill, like)


def held(setting='swae', seed=0, **changes):
  """Saved of a setting on 8x8 digits, with `changes` of the input."""
  return of_config(tiny.config(setting), seed, **changes)


def of_config(config, seed=0, **changes):
  """Saved of a config."""
  about = {'config': choice.chosen(config).to_dict(),
           'input': {**DIGITS, **changes}, 'steps_per_epoch': 12, 'step': 3}
  about = json.loads(json.dumps(about))  # as a run keeps it
  system, like = saved.system(about)
  return saved.Saved(about, system, variables(like, seed))


def workdir(path, a, folder='checkpoints'):
  """Writes a Saved as a run does."""
  files.write_json(path / 'config.json', a.about['config'])
  files.write_json(path / 'run.json', {
      'input': a.about['input'],
      'steps_per_epoch': a.about['steps_per_epoch']})
  state = State(np.int32(a.about['step']), a.variables, np.float32([1, 2]))
  with checkpoint.Checkpoints(path / folder) as checkpoints:
    checkpoints.save(state)
  return path


def images(n, shape=(8, 8, 1), seed=0):
  """uint8 [n, *shape]."""
  rng = np.random.default_rng(seed)
  return rng.integers(256, size=(n, *shape), dtype=np.uint8)
