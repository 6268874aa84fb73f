"""Kernel Inception distance."""
import functools

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import _pairs, collectives, inputs


def kid(x: ArrayLike, y: ArrayLike, *,
        axis_name: str | None = None) -> jax.Array:
  """Unbiased estimate of MMD^2 with the kernel (x . y / D + 1)^3.

  Binkowski et al., "Demystifying MMD GANs", 2018, section 4; on Inception
  features the estimate is the KID.  Its expectation is zero for equal laws, so
  a value may be negative.  The code leaves out the parts of the kernel that
  cancel in the statistic, because they would cost accuracy where features lie
  far from the origin.  At most 2^24 pairs are in memory at once.

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
  # The statistic of the kernel less any h(x) + h(y) is the same.  With the
  # centre c and h(x) = k(x, c) - k(c, c) / 2, what is left is small.
  centre = jax.lax.stop_gradient((x.mean(0) + y.mean(0)) / 2)
  similarity = functools.partial(_similarity, centre)
  x, y = x - centre[None], y - centre[None]
  return (_pairs.within(x, similarity) + _pairs.within(y, similarity)
          - 2 * _pairs.between(x, y, similarity))


def _similarity(c: jax.Array, a: jax.Array, b: jax.Array, left_out: jax.Array
                ) -> jax.Array:
  """k(x, y) - k(x, c) - k(y, c) + k(c, c) for x = c + a, y = c + b.

  With q = 1 + c . c / D, u = c . a / D, v = c . b / D, w = a . b / D, these are
  (q + u + v + w)^3 - (q + u)^3 - (q + v)^3 + q^3.  The terms that cancel are
  left out.  [D], [N, D], [M, D] -> [N, M].
  """
  del left_out
  # The default precision of a product on TPU is bfloat16, too coarse here.
  dot = lambda s, t: jnp.matmul(s, t, precision='highest') / len(c)
  q, u, v, w = 1 + dot(c, c), dot(a, c)[:, None], dot(b, c)[None], dot(a, b.T)
  p = q + u + v
  return 3 * u * v * (q + p) + w * (3 * p**2 + w * (3 * p + w))
