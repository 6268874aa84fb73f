"""Cramer-Wold distance to the standard normal law, or to samples."""
import jax.numpy as jnp

from swae_jax import errors, losses, priors
from swae_jax.systems.penalties import base


def make(prior: priors.Prior, latents: int, *, closed_form: bool = True,
         log: bool = True) -> base.Penalty:
  """Knop et al., "Cramer-Wold auto-encoder", 2020.

  The paper has the weight 1: --config.system.wae.weight=1.

  Args:
    prior: the standard normal law if `closed_form`, else any law.
    latents: D, the dimension of a code.
    closed_form: True compares the codes with N(0, I) itself, as the paper does;
      False compares the codes with samples of the prior.
    log: whether the penalty is the logarithm of the distance, as in the paper.

  Returns:
    The penalty, with the metric 'cramer_wold'.

  Raises:
    errors.UserError: `closed_form` is true and the prior is not N(0, I).
  """
  if closed_form and not priors.is_standard_normal(prior, latents):
    raise errors.UserError(
        '--config.penalty.cramer_wold.closed_form=True needs the standard '
        'normal prior; give closed_form=False for another prior')

  def divergence(z, z_prior, key):
    del key
    value = losses.cramer_wold(z, None if closed_form else z_prior)
    # Rounding can make a distance of 0 negative.
    return jnp.log(jnp.maximum(value, 1e-8)) if log else value

  return base.without_player('cramer_wold', divergence)
