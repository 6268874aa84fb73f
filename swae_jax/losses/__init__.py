"""Losses and divergences: pure functions of arrays.

Separable losses return one value per example, [B]; losses that compare two
samples as wholes return a scalar.  Nothing here draws random numbers, and all
is computed in float32 at the least.
"""
from swae_jax.losses.adversarial import critic_loss, generator_loss
from swae_jax.losses.collectives import gather
from swae_jax.losses.distances import (
  nearest,
  power_error,
  squared_distances,
  squared_error,
)
from swae_jax.losses.elbo import (
  elbo,
  elbo_two_level,
  importance_bound,
  kl_normal,
  kl_sampled,
)
from swae_jax.losses.frechet import frechet
from swae_jax.losses.joint_ot import JointOT, joint_ot
from swae_jax.losses.kid import kid
from swae_jax.losses.likelihoods import (
  bernoulli,
  gaussian,
  logistic_256,
  normal,
  normal_mixture,
)
from swae_jax.losses.mim import a_mim, decoder_mim, symmetric_mim
from swae_jax.losses.mmd import imq, mmd, multiscale, rbf
from swae_jax.losses.sliced import max_sliced_wasserstein, sliced_wasserstein

__all__ = (
    'JointOT', 'a_mim', 'bernoulli', 'critic_loss', 'decoder_mim', 'elbo',
    'elbo_two_level', 'frechet', 'gather', 'gaussian', 'generator_loss',
    'importance_bound', 'imq', 'joint_ot', 'kid', 'kl_normal', 'kl_sampled',
    'logistic_256', 'max_sliced_wasserstein', 'mmd', 'multiscale', 'nearest',
    'normal', 'normal_mixture', 'power_error', 'rbf', 'sliced_wasserstein',
    'squared_distances', 'squared_error', 'symmetric_mim',
)
