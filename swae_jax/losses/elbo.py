"""Bounds on the log-likelihood of variational autoencoders."""
import math

import jax
import jax.numpy as jnp

from swae_jax.losses import inputs


def kl_normal(mean, logvar, mean2=0., logvar2=0.):
  """KL(N(mean, exp logvar) || N(mean2, exp logvar2)) of diagonal normals.

  Args:
    mean: [B, ...].
    logvar: [B, ...] log-variances.
    mean2: [B, ...] or a number.
    logvar2: [B, ...] or a number.

  Returns:
    [B], not negative up to rounding.

  Raises:
    ValueError: the shapes differ.
  """
  given = {'mean2': mean2, 'logvar2': logvar2}
  given = {k: v for k, v in given.items() if jnp.ndim(v)}
  mean, logvar, *_ = inputs.alike(
      'kl_normal', mean=mean, logvar=logvar, **given)
  ratio = logvar - logvar2
  # expm1: near 0 the KL is a difference of almost equal numbers.
  kl = .5 * (jnp.expm1(ratio) - ratio
             + (mean - mean2)**2 * jnp.exp(-jnp.asarray(logvar2)))
  return jnp.sum(kl, axis=range(1, kl.ndim))


def kl_sampled(log_q, log_p):
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


def elbo(log_likelihood, kl, *, beta=1.):
  """log p(x | z) - beta KL, a lower bound of log p(x) when beta >= 1.

  Sun and Guo, "Symmetric Wasserstein autoencoders", 2021, eq. 6.

  Args:
    log_likelihood: [B] log p(x | z), z ~ q(z | x).
    kl: [B] KL(q(z | x) || p(z)), analytic or sampled.
    beta: weight of the KL, the warm-up of the VampPrior; may be traced.

  Returns:
    [B]; the loss is its negative mean.

  Raises:
    ValueError: the arrays are not both [B].
  """
  log_likelihood, kl = inputs.vectors(
      'elbo', log_likelihood=log_likelihood, kl=kl)
  return log_likelihood - beta * kl


def elbo_two_level(log_likelihood, log_p1, log_p2, log_q1, log_q2, *, beta=1.):
  """The bound of a hierarchy p(x | z1, z2) p(z1 | z2) p(z2), one sample.

  Tomczak and Welling, "VAE with a VampPrior", 2018, section 4: z2 ~ q(z2 | x),
  z1 ~ q(z1 | x, z2), and p(z2) is the mixture over pseudo-inputs.

  Args:
    log_likelihood: [B] log p(x | z1, z2).
    log_p1: [B] log p(z1 | z2).
    log_p2: [B] log p(z2).
    log_q1: [B] log q(z1 | x, z2).
    log_q2: [B] log q(z2 | x).
    beta: weight of the KL; may be traced.

  Returns:
    [B]; the loss is its negative mean.

  Raises:
    ValueError: the arrays are not all [B].
  """
  log_likelihood, log_p1, log_p2, log_q1, log_q2 = inputs.vectors(
      'elbo_two_level', log_likelihood=log_likelihood, log_p1=log_p1,
      log_p2=log_p2, log_q1=log_q1, log_q2=log_q2)
  return log_likelihood - beta * (log_q1 + log_q2 - log_p1 - log_p2)


def importance_bound(log_weights):
  """log of the mean importance weight, which tends to log p(x) as S grows.

  Burda et al., "Importance weighted autoencoders", 2016, eq. 8.

  Args:
    log_weights: [S, B] log p(x, z_s) - log q(z_s | x), z_s ~ q(z | x).

  Returns:
    [B]

  Raises:
    ValueError: the weights are not [S, B].
  """
  if jnp.ndim(log_weights) != 2 or not len(log_weights):
    raise ValueError('importance_bound: log_weights must be [S, B], got '
                     f'{list(jnp.shape(log_weights))}')
  log_weights, = inputs.cast(log_weights)
  return jax.nn.logsumexp(log_weights, axis=0) - math.log(len(log_weights))
