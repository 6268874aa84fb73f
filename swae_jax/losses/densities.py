"""Log-likelihoods and log-densities, one value per example."""
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import collectives, inputs


def log_bernoulli(x: ArrayLike, logits: ArrayLike) -> jax.Array:
  """log p(x) of independent Bernoulli pixels.

  Args:
    x: [B, ...] in {0, 1}.  For grey values in [0, 1] the result is the negative
      cross entropy.
    logits: [B, ...] log p(1) - log p(0); may be infinite.

  Returns:
    [B]

  Raises:
    ValueError: the shapes differ.
  """
  x, logits = inputs.alike('log_bernoulli', x=x, logits=logits)
  # Each side keeps its digits: near x = 1, softplus(-logits) is small.
  on, off = jax.nn.softplus(-logits), jax.nn.softplus(logits)
  return -_sum(inputs.weighted(x, on) + inputs.weighted(1 - x, off))


def log_normal(z: ArrayLike, mean: ArrayLike, logvar: ArrayLike) -> jax.Array:
  """log N(z; mean, diag exp(logvar)), with the constant -1/2 log 2 pi.

  Args:
    z: [B, ...].
    mean: [B, ...].
    logvar: [B, ...] log-variances, or one number for all axes.  The number may
      be traced.

  Returns:
    [B]

  Raises:
    ValueError: the shapes differ.
  """
  given = {'logvar': logvar} if jnp.ndim(logvar) else {}
  inputs.alike('log_normal', z=z, mean=mean, **given)
  return _sum(_log_normal(*inputs.cast(z, mean, logvar)))


def log_normal_mixture(z: ArrayLike, means: ArrayLike, logvars: ArrayLike,
                       logits: ArrayLike | None = None) -> jax.Array:
  """Log-density of a mixture of K diagonal normals.

  This is the prior of Tomczak and Welling, "VAE with a VampPrior", 2018, eq. 9.
  The code sums the squares term by term, because a matrix product would cancel
  for small variances.  The gradient may store arrays [B, K, D].

  Args:
    z: [B, D].
    means: [K, D].
    logvars: [K, D] log-variances.
    logits: [K] unnormalised log-weights; None for equal weights.

  Returns:
    [B]

  Raises:
    ValueError: the shapes do not fit each other.
  """
  means, logvars = inputs.alike(
      'log_normal_mixture', means=means, logvars=logvars)
  z, means, logvars = inputs.samples(
      'log_normal_mixture', z=z, means=means, logvars=logvars)
  means, logvars = collectives.replicate(means), collectives.replicate(logvars)
  if logits is None:
    logits = jnp.zeros_like(means[:, 0])
  if jnp.shape(logits) != (len(means),):
    raise ValueError(f'log_normal_mixture: {len(means)} components need logits '
                     f'[{len(means)}], got {list(jnp.shape(logits))}')
  z, means, logvars, logits = inputs.cast(z, means, logvars, logits)
  log_z = jnp.sum(_log_normal(z[:, None], means[None], logvars[None]), axis=2)
  return jax.nn.logsumexp(log_z + jax.nn.log_softmax(logits)[None], axis=1)


def log_logistic_256(x: ArrayLike, mean: ArrayLike,
                     logscale: ArrayLike) -> jax.Array:
  """log p(x) of 256 grey levels under a discretised logistic law.

  The level k = floor(256 x) has the probability of [k / 256, (k + 1) / 256],
  plus 1e-7 against log 0.  The code follows the released codes of Tomczak and
  Welling 2018 and of Sun and Guo 2021: the levels 0 and 255 do not take the
  tails, so the probabilities sum to less than 1.  Only x = 1 differs: x = 1
  belongs to level 255 here, and to a level 256 out of range there.

  Args:
    x: [B, ...] in [0, 1].
    mean: [B, ...].
    logscale: [B, ...] log of the logistic scale.

  Returns:
    [B]

  Raises:
    ValueError: the shapes differ.
  """
  x, mean, logscale = inputs.alike(
      'log_logistic_256', x=x, mean=mean, logscale=logscale)
  low = jnp.minimum(jnp.floor(256 * x), 255) / 256
  inverse = jnp.exp(jnp.minimum(-logscale, 80.))  # Finite in float32.
  below, above = (low - mean) * inverse, (low + 1 / 256 - mean) * inverse
  # sigmoid(above) - sigmoid(below), without the difference of almost equal
  # numbers.
  mass = (jax.nn.sigmoid(above) * jax.nn.sigmoid(-below)
          * -jnp.expm1(-inverse / 256))
  return _sum(jnp.log(mass + 1e-7))


def _log_normal(z, mean, logvar):
  return -.5 * (scaled_square(z - mean, logvar)
                + logvar + math.log(2 * math.pi))


def scaled_square(difference: jax.Array, logvar: jax.Array) -> jax.Array:
  """difference^2 exp(-logvar), elementwise; 0 where the difference is 0.

  In float32 exp(-logvar) is infinite below -88, so small variances take
  exp(2 log |difference| - logvar).
  """
  small = logvar < -80
  tiny = small & (difference != 0)
  log = jnp.log(jnp.abs(jnp.where(tiny, difference, 1.)))
  product = jnp.exp(2 * log - jnp.where(tiny, logvar, 0.))
  usual = difference**2 * jnp.exp(-jnp.where(small, 0., logvar))
  return jnp.where(tiny, product, usual)


def _sum(x):
  return jnp.sum(x, axis=range(1, x.ndim))
