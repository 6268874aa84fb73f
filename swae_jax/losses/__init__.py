"""Losses and divergences: pure functions of arrays.

A loss of separate examples returns one value per example, [B].  A loss that
compares two samples returns a scalar.  No loss draws random numbers, and every
loss computes in float32 or a wider type.
"""
from swae_jax.losses.adversarial import critic_loss, generator_loss
from swae_jax.losses.collectives import gather
from swae_jax.losses.cramer_wold import cramer_wold
from swae_jax.losses.densities import (
    log_bernoulli,
    log_logistic_256,
    log_normal,
    log_normal_mixture,
)
from swae_jax.losses.distances import (
    nearest,
    power_error,
    squared_distances,
    squared_error,
)
from swae_jax.losses.elbo import (
    kl_normal,
    kl_sampled,
    log_marginal,
    negative_elbo,
)
from swae_jax.losses.frechet import frechet
from swae_jax.losses.joint_ot import JointOT, joint_ot
from swae_jax.losses.kid import kid
from swae_jax.losses.mim import a_mim, decoder_mim, symmetric_mim
from swae_jax.losses.mmd import energy_distance, imq, mmd, multiscale, rbf
from swae_jax.losses.sinkhorn import sinkhorn_divergence
from swae_jax.losses.sliced import (
    distributional_sliced_wasserstein,
    max_sliced_wasserstein,
    sliced_wasserstein,
)

__all__ = (
    'JointOT', 'a_mim', 'cramer_wold', 'critic_loss', 'decoder_mim',
    'distributional_sliced_wasserstein', 'energy_distance', 'frechet', 'gather',
    'generator_loss', 'imq', 'joint_ot', 'kid', 'kl_normal', 'kl_sampled',
    'log_bernoulli', 'log_logistic_256', 'log_marginal', 'log_normal',
    'log_normal_mixture', 'max_sliced_wasserstein', 'mmd', 'multiscale',
    'nearest', 'negative_elbo', 'power_error', 'rbf', 'sinkhorn_divergence',
    'sliced_wasserstein', 'squared_distances', 'squared_error', 'symmetric_mim',
)
