"""Frechet distance of two normal laws."""
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import inputs


def frechet(mean1: ArrayLike, cov1: ArrayLike, mean2: ArrayLike,
            cov2: ArrayLike) -> jax.Array:
  """Squared Wasserstein-2 distance of N(mean1, cov1) and N(mean2, cov2).

  Dowson and Landau, "The Frechet distance between multivariate normal
  distributions", 1982; on Inception features it is the FID.  The trace of the
  root is tr (A B A)^(1/2), with A = cov1^(1/2) and B = cov2.  All its matrices
  are symmetric, so singular covariances give no complex numbers.  Rounding
  enters under a root: give float64 where the covariances are singular.

  The gradient is exact for repeated eigenvalues too.  Where a covariance is
  singular the distance is not differentiable; the null directions of the
  product then contribute nothing.

  Args:
    mean1: [D].
    cov1: [D, D] symmetric positive semi-definite.
    mean2: [D].
    cov2: [D, D] likewise.

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
  # Not through `eigh`, whose derivative divides by gaps of eigenvalues.
  by_1, by_2 = _derivative(s2, s1), _derivative(s1, s2)
  return _trace_root(s1, s2), (
      jnp.sum(by_1 * tangents[0]) + jnp.sum(by_2 * tangents[1]))


def _derivative(s1, s2):
  """Derivative of the fidelity by s2: half the transport map of s2 to s1."""
  root = _power(s1, .5)
  inner = _symmetric(_product(root, s2, root))
  return .5 * _product(root, _power(inner, -.5), root)


def _power(s, exponent):
  """Power of a semi-definite matrix; its null space stays null."""
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
