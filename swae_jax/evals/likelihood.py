"""Log-likelihood of the test images."""
from collections.abc import Iterator

import numpy as np

from swae_jax import losses, options
from swae_jax.evals import base


def run(view: base.View, *, samples: options.Count = 100,
        images: options.CountOrZero = 500) -> Iterator[base.Metric]:
  """log p(x) in nats by importance sampling, and its bound by one sample.

  Both are means over the first `images` test images, 0 for all; `samples` codes
  are drawn for each.  A finite number of codes makes the estimate too low, so
  the number is part of its name; papers use 5000, over all images.

  Nothing for systems without densities.
  """
  if view.log_weights is None:
    return
  x = view.data.test.images[:images or None]
  log_weights = view.log_weights(x, samples)
  estimate = np.asarray(losses.log_marginal(log_weights), np.float64)
  yield base.Metric(
      f'log_likelihood_is{samples}', float(estimate.mean()), len(x))
  yield base.Metric('elbo', float(log_weights.mean(dtype=np.float64)), len(x))
