"""Kernel Inception distance."""
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import collectives, inputs


def kid(x: ArrayLike, y: ArrayLike, *,
        axis_name: str | None = None) -> jax.Array:
  """Unbiased estimate of MMD^2 with the kernel (x . y / D + 1)^3.

  Binkowski et al., "Demystifying MMD GANs", 2018, section 4; on Inception
  features the estimate is the KID.  Its expectation is zero for equal laws, so
  a value may be negative.  The code leaves out the constant 1 of the kernel,
  because this constant cancels in the statistic and would cost accuracy.

  With `axis_name` the result is the statistic of the examples of all devices;
  `mmd` says which gradients are then exact.  No evaluator sets `axis_name`; it
  serves callers that minimise the distance on several devices.

  Args:
    x: [N, D] features.
    y: [M, D] features.
    axis_name: named axis over which the examples are spread, if any.

  Returns:
    A scalar.

  Raises:
    ValueError: x, y are not matrices with one D, or hold fewer than two
      examples.
  """
  x, y = inputs.samples('kid', x=x, y=y)
  x, y = collectives.gather(x, axis_name), collectives.gather(y, axis_name)
  if min(len(x), len(y)) < 2:
    raise ValueError('kid: needs at least 2 examples a side, got '
                     f'{len(x)} and {len(y)}')
  return _within(x) + _within(y) - 2 * jnp.mean(_kernel(x, y))


def _kernel(x: jax.Array, y: jax.Array) -> jax.Array:
  """(t + 1)^3 - 1 with t = x . y / D.  [N, D], [M, D] -> [N, M]."""
  # The default precision of a product on TPU is bfloat16, too coarse here.
  t = jnp.matmul(x, y.T, precision='highest') / x.shape[1]
  return t * (3 + t * (3 + t))


def _within(x: jax.Array) -> jax.Array:
  """Mean similarity of two different examples.  [N, D] -> scalar."""
  n = len(x)
  k = jnp.where(jnp.eye(n, dtype=bool), 0., _kernel(x, x))
  return jnp.sum(k) / (n * (n - 1))
