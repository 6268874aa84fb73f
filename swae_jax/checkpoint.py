"""Checkpoints: Orbax for atomic writes, and a digest of every array.

Orbax never leaves half a checkpoint behind, but it loads a flipped bit
without a word, so each array's sha256 is saved beside it and checked.
"""
import hashlib
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp

from swae_jax import errors


def named(tree):
  """Leaves by name, such as 'variables/params/model/encoder/bias'."""
  flat, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {jax.tree_util.keystr(path, simple=True, separator='/'): leaf
          for path, leaf in flat}


def digest(x):
  """sha256 of an array's type, shape and bytes."""
  x = np.ascontiguousarray(x)
  head = f'{x.dtype.str}{x.shape}'.encode()
  return hashlib.sha256(head + x.tobytes()).hexdigest()


def digests(tree):
  """The digest of every leaf, by name."""
  return {name: digest(x) for name, x in named(tree).items()}


def summary(tree):
  """One digest of a whole tree of host arrays."""
  lines = (f'{name} {d}\n' for name, d in sorted(digests(tree).items()))
  return hashlib.sha256(''.join(lines).encode()).hexdigest()


class Checkpoints:
  """The newest states of a run, in `directory`.

  What a system has learned and what only training needs are separate items,
  so that the first can be read alone.
  """

  def __init__(self, directory, keep=2):
    self.directory = pathlib.Path(directory).absolute()
    self.manager = ocp.CheckpointManager(
        self.directory, item_names=('variables', 'training', 'digests'),
        options=ocp.CheckpointManagerOptions(max_to_keep=keep))

  def save(self, state):
    """Starts to save a state of host arrays; it is there after the `with`."""
    arrays = named(state)
    learned = {k: x for k, x in arrays.items() if k.startswith('variables/')}
    rest = {k: x for k, x in arrays.items() if k not in learned}
    self.manager.save(int(state.step), args=ocp.args.Composite(
        variables=ocp.args.StandardSave(learned),
        training=ocp.args.StandardSave(rest),
        digests=ocp.args.JsonSave(digests(state))))

  def restore(self, like):
    """The newest state, shaped `like` this one, or None if there is none."""
    step = self.manager.latest_step()
    if step is None:
      return None
    where = f'checkpoint {self.directory / str(step)}'
    try:
      found = self.manager.restore(step, args=ocp.args.Composite(
          variables=ocp.args.StandardRestore(),
          training=ocp.args.StandardRestore(),
          digests=ocp.args.JsonRestore()))
    except Exception as e:  # Orbax raises many types on damaged files.
      raise errors.DamagedData(
          f'{where} cannot be read ({type(e).__name__}); move it aside to go '
          'on from the one before') from e
    arrays = {name: np.asarray(x) for name, x in
              {**found['variables'], **found['training']}.items()}
    _check_digests(arrays, found['digests'], where)
    return _rebuild(like, arrays, where)

  def __enter__(self):
    return self

  def __exit__(self, *exception):
    self.manager.close()  # All that was saved is there, threads have ended.


def _check_digests(arrays, recorded, where):
  bad = [name for name in sorted(recorded.keys() | arrays.keys())
         if name not in arrays or name not in recorded
         or digest(arrays[name]) != recorded[name]]
  if bad:
    raise errors.DamagedData(
        f'{where} is damaged: the digest of {bad[0]} differs'
        f'{f" (and {len(bad) - 1} more)" if bad[1:] else ""}; move it aside '
        'to go on from the one before')


def _rebuild(like, arrays, where):
  expected = named(like)
  if expected.keys() != arrays.keys():
    odd = min(expected.keys() ^ arrays.keys())
    raise errors.UserError(
        f'{where} is of another system: {odd} is in only one of the two; use '
        'another --workdir')
  for name, x in expected.items():
    if arrays[name].shape != x.shape or arrays[name].dtype != x.dtype:
      raise errors.UserError(
          f'{where} is of another system: {name} is {arrays[name].dtype}'
          f'{list(arrays[name].shape)} there, {x.dtype}{list(x.shape)} now; '
          'use another --workdir')
  return jax.tree.unflatten(jax.tree.structure(like),
                            [arrays[name] for name in expected])
