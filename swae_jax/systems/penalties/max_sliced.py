"""Sliced Wasserstein distance along the worst direction."""
from swae_jax import losses, options, priors
from swae_jax.systems.penalties import base


def make(prior: priors.Prior, latents: int, *,
         projections: options.Count = 10, p: options.Order = 2.,
         steps: options.CountOrZero = 10,
         step_size: options.Positive = .1) -> base.Penalty:
  """Deshpande et al., "Max-sliced Wasserstein distance", 2019.

  Args:
    prior: any law that can be sampled.
    latents: D, the dimension of a code.
    projections: the number of directions at which the ascent starts; each step
      of training draws new directions.
    p: order of the distance; the penalty is the p-th power of the distance.
    steps: steps of ascent on the sphere, from each direction.
    step_size: length of the first step of ascent.

  Returns:
    The penalty, with the metric 'max_sliced_wasserstein'.
  """
  del prior
  return base.without_player(
      'max_sliced_wasserstein',
      lambda z, z_prior, key: losses.max_sliced_wasserstein(
          z, z_prior, priors.directions(key, projections, latents), p=p,
          steps=steps, step_size=step_size))
