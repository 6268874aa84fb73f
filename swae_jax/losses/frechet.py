"""Frechet distance of two normal laws."""
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
  can minimise the distance.  The gradient is exact for repeated eigenvalues,
  too.  If a covariance is singular, the distance has no gradient; the null
  directions of the product then contribute 0.

  Args:
    mean1: [D] mean of the first law.
    cov1: [D, D] covariance, symmetric and positive semi-definite.
    mean2: [D] mean of the second law.
    cov2: [D, D] covariance, symmetric and positive semi-definite.

  Returns:
    A scalar.

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
  return (jnp.sum((mean1 - mean2)**2) + traces
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


def _power(s, exponent):
  """s^exponent of a semi-definite matrix s; its null directions stay null."""
  values, vectors = jnp.linalg.eigh(s)
  floor = len(s) * jnp.finfo(s.dtype).eps * jnp.max(jnp.abs(values))
  kept = values > floor
  values = jnp.where(kept, jnp.where(kept, values, 1.)**exponent, 0.)
  return jnp.matmul(vectors * values[None], vectors.T, precision='highest')


def _product(a, b, c):
  return jnp.matmul(jnp.matmul(a, b, precision='highest'), c,
                    precision='highest')


def _symmetric(s):
  return (s + s.T) / 2
