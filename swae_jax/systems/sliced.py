"""Sliced Wasserstein autoencoder."""
from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax import errors, losses, priors
from swae_jax.systems import autoencoder, base


def bce_l1(m, x, z):
  """Cross entropy and absolute error, means over the pixels.  [B]."""
  logits = m.output(z, train=True)
  error = losses.power_error(x, nn.sigmoid(logits), p=1)
  return (error - losses.log_bernoulli(x, logits)) / x[0].size


def squared(m, x, z):
  """Squared error.  [B]."""
  return losses.squared_error(x, m.decode(z, train=True))


COSTS = {'bce_l1': bce_l1, 'squared': squared}


def make(network, prior, spec, latents, *, weight=10.,
         growth=1., growth_from=10, projections=50, p=2, cost='bce_l1'):
  """Kolouri et al., "Sliced-Wasserstein autoencoder", 2018, eq. 16.

  Args:
    network: base.Network.
    prior: sampler of the codes' target.
    spec: base.Spec.
    latents: dimension D of a code.
    weight: lambda, of the penalty.
    growth: factor of the weight at each epoch after `growth_from`, without
      end; the paper has none (1), its released code 1.1.
    growth_from: the last epoch, counted from 0, of the first weight.
    projections: L, how many directions each step draws.
    p: order of the distance of codes; the penalty is its p-th power.
    cost: a name in COSTS; 'bce_l1' is the paper's, for data in [0, 1].
  """
  if cost == 'bce_l1' and not spec.bounded:
    raise errors.UserError(
        "cost='bce_l1' needs data in [0, 1]; for these set cost='squared'")
  cost = base.choice(COSTS, 'cost', cost)

  def terms(m, x, key, step):
    theta_key, prior_key = jax.random.split(key)
    z = m.encode(x, train=True)
    reconstruction = cost(m, x, z).mean()
    penalty = losses.sliced_wasserstein(
        z, prior(prior_key, x.shape[0], latents),
        priors.directions(theta_key, projections, latents), p=p)
    grown = jnp.maximum(step // spec.steps_per_epoch - growth_from, 0)
    loss = reconstruction + weight * growth**grown * penalty
    return loss, {'reconstruction': reconstruction,
                  'sliced_wasserstein': penalty}

  return autoencoder.make(network, prior, spec, latents, terms)
