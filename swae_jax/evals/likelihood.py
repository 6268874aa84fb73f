"""Log-likelihood of the test images."""
import numpy as np

from swae_jax import errors, losses
from swae_jax.evals import base


def run(view, *, samples=100, images=500):
  """log p(x) in nats by importance sampling, and its one-sample bound.

  Means over the first `images` test images, 0 for all; `samples` codes are
  drawn for each.  The estimate is low by what a finite number of samples costs,
  so the number is part of the name; 5000 are usual, over all images.  Nothing
  for systems without densities.
  """
  if view.log_weights is None:
    return
  if samples < 1:
    raise errors.UserError(f'likelihood: samples={samples}: ask for at least 1')
  x = view.data.test.images[:images or None]
  log_weights = view.log_weights(x, samples)
  estimate = np.asarray(losses.log_marginal(log_weights), np.float64)
  yield base.Metric(
      f'log_likelihood_is{samples}', float(estimate.mean()), len(x))
  yield base.Metric('elbo', float(log_weights.mean(dtype=np.float64)), len(x))
