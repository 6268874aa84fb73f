"""Sliced Wasserstein distance over random directions."""
from swae_jax import losses, options, priors
from swae_jax.systems.penalties import base


def make(prior: priors.Prior, latents: int, *,
         projections: options.Count = 50,
         p: options.Order = 2.) -> base.Penalty:
  """The penalty of the sliced-Wasserstein autoencoder.

  Kolouri et al., "Sliced-Wasserstein autoencoder", 2018, eq. 16.

  Args:
    prior: any law that can be sampled.
    latents: D, the dimension of a code.
    projections: L, the number of directions, drawn anew at each step.
    p: order of the distance; the penalty is the p-th power of the distance.

  Returns:
    The penalty, with the metric 'sliced_wasserstein'.
  """
  del prior  # The penalty needs only samples of the prior.
  return base.without_player(
      'sliced_wasserstein', lambda z, z_prior, key: losses.sliced_wasserstein(
          z, z_prior, priors.directions(key, projections, latents), p=p))
