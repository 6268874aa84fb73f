"""Sinkhorn divergence."""
import importlib.util

from swae_jax import errors, losses, options, priors
from swae_jax.systems.penalties import base


def make(prior: priors.Prior, latents: int, *,
         epsilon: options.Positive = .1,
         max_iterations: options.Count = 200) -> base.Penalty:
  """Patrini et al., "Sinkhorn autoencoders", 2019; needs ott-jax.

  Args:
    prior: the variance of this law sets the unit of `epsilon`.
    latents: D, the dimension of a code.
    epsilon: weight of the entropy, in units of the expected squared distance
      of two samples of the prior.
    max_iterations: the greatest number of Sinkhorn iterations.

  Returns:
    The penalty, with the metric 'sinkhorn_divergence'.

  Raises:
    errors.UserError: ott-jax is not installed.
  """
  if importlib.util.find_spec('ott') is None:
    raise errors.UserError('--config.penalty.name=sinkhorn needs ott-jax: pip '
                           "install 'swae_jax[sinkhorn]'")
  scale = epsilon * 2 * latents * prior.variance(latents)
  return base.without_player(
      'sinkhorn_divergence',
      lambda z, z_prior, key: losses.sinkhorn_divergence(
          z, z_prior, epsilon=scale, max_iterations=max_iterations))
