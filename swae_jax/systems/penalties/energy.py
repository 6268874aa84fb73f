"""Energy distance."""
from swae_jax import losses, priors
from swae_jax.systems.penalties import base


def make(prior: priors.Prior, latents: int) -> base.Penalty:
  """Szekely and Rizzo, "Energy statistics", 2013: an MMD without a scale.

  Args:
    prior: any law that can be sampled.
    latents: D, the dimension of a code.

  Returns:
    The penalty, with the metric 'energy_distance'.
  """
  del prior, latents  # The penalty needs only samples of the prior.
  return base.without_player(
      'energy_distance',
      lambda z, z_prior, key: losses.energy_distance(z, z_prior))
