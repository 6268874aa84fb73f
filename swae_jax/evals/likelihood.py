"""Log-likelihood of the test images."""
from collections.abc import Iterator

import numpy as np

from swae_jax import losses, options
from swae_jax.evals import base


def run(view: base.View, *, samples: options.Count = 100,
        images: options.CountOrZero = 500) -> Iterator[base.Metric]:
  """log p(x) in nats by importance sampling, and the one-sample lower bound.

  Both are means over the first `images` test images, 0 for all.  Each image has
  `samples` draws of its code.  A finite number of draws makes the estimate too
  low, so the name of the metric has the number.  Papers use 5000 draws and all
  images.

  Yields nothing for systems without densities.
  """
  if view.log_weights is None:
    return
  x = view.data.test.images[:images or None]
  log_weights = view.log_weights(x, samples)
  estimate = np.asarray(losses.log_marginal(log_weights), np.float64)
  yield base.Metric(
      f'log_likelihood_is{samples}', float(estimate.mean()), len(x))
  yield base.Metric('elbo', float(log_weights.mean(dtype=np.float64)), len(x))
