"""Sums over all pairs of examples of two samples, with bounded memory."""
from collections.abc import Callable

import jax
import jax.numpy as jnp

LIMIT = 2**24  # The most pairs in memory at once.

# Some rows [n, D], all of the other sample [M, D] and a mask [n, M] of the
# pairs that do not count -> similarities [n, M], any number where masked.
Similarity = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def between(x: jax.Array, y: jax.Array, similarity: Similarity) -> jax.Array:
  """Mean similarity of an example of x and one of y.  [N, D], [M, D] -> []."""
  # A float: JAX takes no whole number above 2^31.
  return _total(x, y, similarity, False) / float(len(x) * len(y))


def within(x: jax.Array, similarity: Similarity) -> jax.Array:
  """Mean similarity of two different examples of x.  [N, D] -> []."""
  # The sum leaves out the diagonal; a later subtraction would cost accuracy.
  return _total(x, x, similarity, True) / float(len(x) * (len(x) - 1))


def _total(x, y, similarity, different):
  """The sum over all pairs; `different` leaves out the pairs i = j."""
  n, m = len(x), len(y)
  rows = min(n, max(1, LIMIT // m))
  columns = jnp.arange(m)[None]

  def some(start):
    """The sum over the pairs of the rows from `start` on."""
    at = jnp.minimum(start, n - rows)  # The last block repeats rows.
    number = at + jnp.arange(rows)[:, None]
    left_out = jnp.broadcast_to(number < start, (rows, m))
    if different:
      left_out |= number == columns
    block = jax.lax.dynamic_slice_in_dim(x, at, rows)
    # `where` stays where nothing is left out: without it, XLA on CPU stores a
    # matrix for each constant of a kernel and takes 5 times as long.
    return jnp.sum(jnp.where(left_out, 0., similarity(block, y, left_out)))

  if rows == n:
    return some(0)
  starts = jnp.arange(0, n, rows)
  # The reverse derivative computes a block again in place of keeping it.
  add = jax.checkpoint(lambda total, start: (total + some(start), None))
  return jax.lax.scan(add, 0 * jnp.sum(x[0] + y[0]), starts)[0]
