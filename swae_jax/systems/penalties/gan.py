"""Penalty by a critic that tells codes from samples of the prior."""
from typing import Any

import chex
import jax
import jax.numpy as jnp

from swae_jax import errors, losses, options, priors
from swae_jax.networks import critic
from swae_jax.systems.penalties import base


def make(prior: priors.Prior, latents: int, *,
         width: options.Count = 512, depth: options.Depth = 4,
         log_prior: bool = False) -> base.Penalty:
  """The penalty of WAE-GAN, with the critic as a second player.

  Tolstikhin et al., "Wasserstein auto-encoders", 2018, Algorithm 1; with the
  squared cost, the system is the adversarial autoencoder of Makhzani et al.
  2016.  Model and critic take each step at the same time, on one batch;
  Algorithm 1 moves the critic first, the released code moves the model first.
  The weight of the penalty also scales the critic's own loss, as in Algorithm
  1; Adam cancels this factor.

  Args:
    prior: any law that can be sampled; `log_prior` needs its density.
    latents: D, the dimension of a code.
    width: units of each hidden layer of the critic.
    depth: hidden layers of the critic.
    log_prior: whether to add log p(z) to the critic's logits.  The best logit
      is log p(z) - log q(z), so the critic then learns only log q(z).  The
      released code uses this option for CelebA, under the name gan_p_trick.
      The released code adds densities [B] to logits [B, 1], which gives [B, B];
      here the sum is [B].

  Returns:
    The penalty, with the player 'critic' and the metrics 'penalty' and
    'critic'.

  Raises:
    errors.UserError: `log_prior` is true and the prior has no known density.
  """
  if log_prior and prior.log_prob is None:
    raise errors.UserError(
        '--config.penalty.gan.log_prior=True needs a prior with a known '
        'density; give --config.prior.name=normal, or log_prior=False')
  network = critic.Critic(width, depth)

  def score(params: Any, z: jax.Array) -> jax.Array:
    logits: Any = network.apply({'params': params}, z)
    chex.assert_shape(logits, (z.shape[0],))
    if log_prior and prior.log_prob is not None:
      logits += prior.log_prob(z)
    return logits

  def init(key: jax.Array) -> dict:
    return {'critic': network.init(key, jnp.zeros((1, latents)))['params']}

  def terms(params: Any, z: jax.Array, z_prior: jax.Array,
            key: jax.Array) -> dict[str, jax.Array]:
    del key  # Nothing is drawn.
    # stop_gradient hides each player from the other player's loss, so that the
    # gradient of the sum by one player is the gradient of its own loss.
    mine = params['critic']
    penalty = losses.generator_loss(score(jax.lax.stop_gradient(mine), z))
    game = losses.critic_loss(
        score(mine, jax.lax.stop_gradient(z)), score(mine, z_prior))
    return {'penalty': penalty.mean(), 'critic': game.mean()}

  return base.Penalty(init, terms)
