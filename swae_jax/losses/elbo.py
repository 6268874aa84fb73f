"""Bounds on the log-likelihood of variational autoencoders."""
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import densities, inputs


def kl_normal(mean: ArrayLike, logvar: ArrayLike, mean2: ArrayLike = 0.,
              logvar2: ArrayLike = 0.) -> jax.Array:
  """KL(N(mean, exp logvar) || N(mean2, exp logvar2)) of diagonal normals.

  Args:
    mean: [B, ...].
    logvar: [B, ...] log-variances.
    mean2: [B, ...] means of the second law, or a number.
    logvar2: [B, ...] log-variances of the second law, or a number.

  Returns:
    [B], not negative up to rounding.

  Raises:
    ValueError: the shapes differ.
  """
  given = {'mean2': mean2, 'logvar2': logvar2}
  given = {k: v for k, v in given.items() if jnp.ndim(v)}
  inputs.alike('kl_normal', mean=mean, logvar=logvar, **given)
  mean, logvar, mean2, logvar2 = inputs.cast(mean, logvar, mean2, logvar2)
  ratio = logvar - logvar2
  # expm1: near 0 the KL is a difference of almost equal numbers.
  kl = .5 * (jnp.expm1(ratio) - ratio
             + densities.scaled_square(mean - mean2, logvar2))
  return jnp.sum(kl, axis=range(1, kl.ndim))


def kl_sampled(log_q: ArrayLike, log_p: ArrayLike) -> jax.Array:
  """Unbiased one-sample estimate of KL(q || p) at z ~ q.

  Args:
    log_q: [B] log q(z).
    log_p: [B] log p(z).

  Returns:
    [B] of either sign.

  Raises:
    ValueError: the arrays are not both [B].
  """
  log_q, log_p = inputs.vectors('kl_sampled', log_q=log_q, log_p=log_p)
  return log_q - log_p


def negative_elbo(log_likelihood: ArrayLike, kl: ArrayLike, *,
                  beta: ArrayLike = 1.) -> jax.Array:
  """beta KL - log p(x | z), an upper bound of -log p(x) when beta >= 1.

  With beta = 1 this is eq. 6 of Sun and Guo, "Symmetric Wasserstein
  autoencoders", 2021.

  Args:
    log_likelihood: [B] log p(x | z), z ~ q(z | x).
    kl: [B] KL(q(z | x) || p(z)), analytic or sampled.
    beta: weight of the KL, which grows in a warm-up: a number or [B]; may be
      traced.  With the weight 0, an infinite KL counts 0.

  Returns:
    [B]; the loss of a variational autoencoder is the mean over the batch.

  Raises:
    ValueError: the arrays are not both [B], or beta is neither a number nor
      [B].
  """
  log_likelihood, kl = inputs.vectors(
      'negative_elbo', log_likelihood=log_likelihood, kl=kl)
  beta = inputs.weight('negative_elbo', 'beta', beta, kl)
  return inputs.weighted(beta, kl) - log_likelihood


def log_marginal(log_weights: ArrayLike) -> jax.Array:
  """Logarithm of the mean importance weight.

  The value tends to log p(x) as S grows: Burda et al., "Importance weighted
  autoencoders", 2016, eq. 8.

  Args:
    log_weights: [S, B] log p(x, z_s) - log q(z_s | x), z_s ~ q(z | x).

  Returns:
    [B]

  Raises:
    ValueError: the weights are not [S, B].
  """
  if jnp.ndim(log_weights) != 2 or not jnp.shape(log_weights)[0]:
    raise ValueError('log_marginal: log_weights must be [S, B], got '
                     f'{list(jnp.shape(log_weights))}')
  log_weights, = inputs.cast(log_weights)
  return jax.nn.logsumexp(log_weights, axis=0) - math.log(len(log_weights))
