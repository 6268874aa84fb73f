"""Error of the reconstructions."""
import numpy as np

from swae_jax.data import base as data_base
from swae_jax.evals import base

CHUNK = 1000  # Examples held as floats at once.


def run(view):
  """Squared error summed over an image, mean over the test split.

  The target is what the encoder sees, so binary where the data are; the
  reconstruction is the decoder's output at the mean code, not rounded.
  """
  images = view.data.test.images
  total = 0.
  for start in range(0, len(images), CHUNK):
    x = images[start:start + CHUNK]
    residual = view.decode(view.encode(x)) - data_base.to_float(x)
    total += np.sum(np.square(residual, dtype=np.float64))
  yield base.Metric('reconstruction_error', float(total / len(images)),
                    len(images))
