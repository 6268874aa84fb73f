"""Wasserstein autoencoder with a latent critic."""
import math

import jax
import jax.numpy as jnp

from swae_jax import errors, losses, priors
from swae_jax.networks import critic
from swae_jax.systems import base, wae


def nothing(prior, variance):
  """Adds nothing to the critic's logits.  z [B, D] -> [B]."""
  del prior, variance
  return lambda z: jnp.zeros_like(z[:, 0])


def log_prior(prior, variance):
  """The prior's log-density, by which the critic begins.  z [B, D] -> [B].

  The best logit is log p(z) - log q(z), so only the second is left to learn.
  """
  scale = getattr(prior, 'keywords', {}).get('scale', 1.)
  normal = getattr(prior, 'func', prior) is priors.normal
  if not (normal and math.isclose(scale**2, variance, rel_tol=1e-3)):
    raise errors.UserError(
        f"gan_p_trick='fixed', prior_variance={variance}: it needs the prior "
        f'normal of scale {variance**.5:.6g}; set config.prior so')
  return lambda z: losses.log_normal(
      z, jnp.zeros_like(z), jnp.full_like(z, math.log(variance)))


TRICKS = {'off': nothing, 'fixed': log_prior}


def make(network, prior, spec, latents, *, weight=10., gan_p_trick='off',
         prior_variance=1., width=512, depth=4, reconstruction_scale=1.,
         encoder='deterministic', input_noise=0., pretrain_steps=0,
         pretrain_examples=1000):
  """Tolstikhin et al., "Wasserstein auto-encoders", 2018, Algorithm 1.

  With the squared cost, which it has here, the adversarial autoencoder of
  Makhzani et al. 2016.  The players 'model' and 'critic' move at once, on one
  batch: Algorithm 1 lets the critic go first, the released code the model.

  Args:
    network: base.Network.
    prior: sampler of the codes' target.
    spec: base.Spec.
    latents: dimension D of a code.
    weight: lambda, of the penalty and, as in Algorithm 1, of the critic's own
      loss (which Adam does not feel).
    gan_p_trick: 'fixed' adds the prior's log-density to the critic's logits,
      for a normal prior.  The released code, which has it for CelebA, adds
      the densities [B] to logits [B, 1] and so gets [B, B]; here it is [B].
    prior_variance: sigma_z^2 of `prior` along each axis, for 'fixed'.
    width: of the critic's layers.
    depth: how many they are, before the last.
    reconstruction_scale: of the squared error; the paper has none, its
      released code .05, which for images in [-1, 1] is .2 of the error here,
      of images in [0, 1].
    encoder: 'deterministic', or 'gaussian' for a mean and a variance.
    input_noise: deviation of the noise on the encoder's input in training.
    pretrain_steps: how many steps the encoder at most takes at the start
      towards the prior's mean and covariance; the released code 200.
    pretrain_examples: of the first training images, for that.
  """
  network_z = critic.Critic(width, depth)
  log_p = base.choice(TRICKS, 'gan_p_trick', gan_p_trick)(prior, prior_variance)

  def score(params, z):
    return network_z.apply({'params': params}, z) + log_p(z)

  def terms(params, z, z_prior):
    # Each player meets the other through stop_gradient, so that the gradient
    # of the sum by a player is that of its own loss alone.
    mine = params['critic']
    penalty = losses.generator_loss(score(jax.lax.stop_gradient(mine), z))
    game = losses.critic_loss(
        score(mine, z_prior), score(mine, jax.lax.stop_gradient(z)))
    return {'penalty': penalty.mean(), 'critic': game.mean()}

  def init(key):
    fresh = network_z.init(key, jnp.zeros((1, latents)))
    return {'critic': fresh['params']}

  return wae.make(
      network, prior, spec, latents, wae.Penalty(init, terms), weight=weight,
      reconstruction_scale=reconstruction_scale, encoder=encoder,
      input_noise=input_noise, pretrain_steps=pretrain_steps,
      pretrain_examples=pretrain_examples)
