"""Sliced Wasserstein distance over a trained law of directions."""
from swae_jax import losses, options, priors
from swae_jax.systems.penalties import base


def make(prior: priors.Prior, latents: int, *,
         projections: options.Count = 50, p: options.Order = 2.,
         steps: options.CountOrZero = 10, step_size: options.Positive = .1,
         regularization: options.NonNegative = 1.) -> base.Penalty:
  """Nguyen et al., "Distributional sliced-Wasserstein", 2021.

  Args:
    prior: any law that can be sampled.
    latents: D, the dimension of a code.
    projections: L, the number of directions, drawn anew at each step.
    p: order of the distance; the penalty is the p-th power of the distance.
    steps: steps of ascent in which the law of directions learns, at each step
      of training.
    step_size: length of the first step of ascent.
    regularization: weight of the term that keeps the directions apart.

  Returns:
    The penalty, with the metric 'distributional_sliced_wasserstein'.
  """
  del prior
  return base.without_player(
      'distributional_sliced_wasserstein',
      lambda z, z_prior, key: losses.distributional_sliced_wasserstein(
          z, z_prior, priors.directions(key, projections, latents), p=p,
          steps=steps, step_size=step_size, regularization=regularization))
