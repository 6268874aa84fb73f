"""Which examples make the batch of a step: a pure function of (seed, step)."""
import functools

import numpy as np

from swae_jax import errors


def per_epoch(batch_size, size):
  """How many batches an epoch has; what is left of it is dropped."""
  if not 1 <= batch_size <= size:
    raise errors.UserError(f'batch size {batch_size} must lie in 1..{size}, '
                           'the number of training examples')
  return size // batch_size


def indices(seed, step, batch_size, size):
  """Indices int32 [batch_size] of the batch of `step`.

  Every epoch is a fresh permutation of range(size).
  """
  epoch, i = divmod(step, per_epoch(batch_size, size))
  return _order(seed, epoch, size)[i * batch_size:(i + 1) * batch_size]


@functools.lru_cache(maxsize=4)
def _order(seed, epoch, size):
  """The permutation of an epoch; 60,000 take milliseconds, so once an epoch."""
  order = np.random.default_rng((seed, epoch)).permutation(size)
  order = order.astype(np.int32)
  order.setflags(write=False)  # It is shared by all batches of the epoch.
  return order
