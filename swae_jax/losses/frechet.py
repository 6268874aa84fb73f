"""Frechet distance of two normal laws."""
import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import inputs


def frechet(mean1: ArrayLike, cov1: ArrayLike, mean2: ArrayLike,
            cov2: ArrayLike) -> jax.Array:
  """Squared Wasserstein-2 distance of N(mean1, cov1) and N(mean2, cov2).

  Dowson and Landau, "The Frechet distance between multivariate normal
  distributions", 1982, give the formula; on Inception features the distance is
  the FID.  The code computes the trace of the root as tr (A B A)^(1/2), with
  A = cov1^(1/2) and B = cov2.  All these matrices are symmetric, so singular
  covariances give no complex numbers.  The root magnifies rounding errors: pass
  float64 if the covariances are singular.

  No system differentiates this function; the derivative exists so that callers
  can minimise the distance.  Gradient and Hessian are exact for repeated
  eigenvalues, too.  If a covariance is singular, the distance has no gradient;
  the null directions of the product then contribute 0.

  Args:
    mean1: [D] mean of the first law.
    cov1: [D, D] covariance, symmetric and positive semi-definite.
    mean2: [D] mean of the second law.
    cov2: [D, D] covariance, symmetric and positive semi-definite.

  Returns:
    A scalar, not negative.

  Raises:
    ValueError: the shapes are not [D] and [D, D].
  """
  shapes = [jnp.shape(a) for a in (mean1, cov1, mean2, cov2)]
  d = shapes[0][-1:]
  if shapes != [d, d + d, d, d + d] or not d:
    raise ValueError('frechet: means and covariances must be [D] and [D, D], '
                     f'got {[list(s) for s in shapes]}')
  mean1, cov1, mean2, cov2 = inputs.cast(mean1, cov1, mean2, cov2)
  traces = jnp.trace(cov1) + jnp.trace(cov2)
  return inputs.not_negative(
      jnp.sum((mean1 - mean2)**2) + traces
      - 2 * _trace_root(_symmetric(cov1), _symmetric(cov2)))


@jax.custom_jvp
def _trace_root(s1, s2):
  """tr (s1^(1/2) s2 s1^(1/2))^(1/2), the fidelity of two covariances."""
  root = _power(s1, .5)
  values = jnp.linalg.eigvalsh(_symmetric(_product(root, s2, root)))
  return jnp.sum(jnp.sqrt(jnp.maximum(values, 0.)))


@_trace_root.defjvp
def _trace_root_jvp(primals, tangents):
  s1, s2 = primals
  # The derivative of `eigh` would divide by gaps of eigenvalues.
  by_1, by_2 = _derivative(s2, s1), _derivative(s1, s2)
  return _trace_root(s1, s2), (
      jnp.sum(by_1 * tangents[0]) + jnp.sum(by_2 * tangents[1]))


def _derivative(s1, s2):
  """Derivative of the fidelity by s2: half the transport map of s2 to s1."""
  root = _power(s1, .5)
  inner = _symmetric(_product(root, s2, root))
  return .5 * _product(root, _power(inner, -.5), root)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _power(s, exponent):
  """s^exponent for 1/2 or -1/2, s semi-definite; null directions stay null."""
  root, vectors = _roots(s)
  values = root if exponent > 0 else _inverse(root)
  return _product(vectors * values[None], vectors.T)


@_power.defjvp
def _power_jvp(exponent, primals, tangents):
  # Divided differences of the eigenvalues' powers.  As sums of roots they are
  # finite where eigenvalues repeat; the derivative of `eigh` is not.
  root, vectors = _roots(primals[0])
  slopes = _inverse(root[:, None] + root[None])
  if exponent < 0:
    inverse = _inverse(root)
    slopes = -slopes * inverse[:, None] * inverse[None]
  inner = _product(vectors.T, tangents[0], vectors)
  return (_power(primals[0], exponent),
          _product(vectors, slopes * inner, vectors.T))


def _roots(s):
  """Square roots of the eigenvalues [D], 0 for null ones; eigenvectors."""
  values, vectors = jnp.linalg.eigh(s)
  floor = len(s) * jnp.finfo(s.dtype).eps * jnp.max(jnp.abs(values))
  kept = values > floor
  return jnp.where(kept, jnp.sqrt(jnp.where(kept, values, 1.)), 0.), vectors


def _inverse(x):
  """1 / x elementwise, 0 where x is 0."""
  return jnp.where(x == 0, 0., 1 / jnp.where(x == 0, 1., x))


def _product(*matrices):
  return functools.reduce(
      functools.partial(jnp.matmul, precision='highest'), matrices)


def _symmetric(s):
  return (s + s.T) / 2
