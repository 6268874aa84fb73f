"""The examples of each batch, as a pure function of (seed, step)."""
import functools

import numpy as np

from swae_jax import errors


def per_epoch(batch_size: int, size: int) -> int:
  """Number of full batches in an epoch of `size` examples."""
  if not 1 <= batch_size <= size:
    raise errors.UserError(
        f'--config.train.batch_size={batch_size}: it must lie in [1, {size}], '
        'since an epoch has this number of training examples')
  return size // batch_size


def indices(seed: int, step: int, batch_size: int, size: int) -> np.ndarray:
  """Indices of the examples of a step, int32 [batch_size].

  Each epoch has its own permutation of range(size).  An epoch drops the
  examples after its last full batch.
  """
  epoch, i = divmod(step, per_epoch(batch_size, size))
  return _order(seed, epoch, size)[i * batch_size:(i + 1) * batch_size]


@functools.lru_cache(maxsize=4)
def _order(seed, epoch, size):
  """The permutation of an epoch [size]; a cache keeps it for the next steps."""
  order = np.random.default_rng((seed, epoch)).permutation(size)
  order = order.astype(np.int32)
  order.setflags(write=False)  # All batches of the epoch share it.
  return order
