"""Distances between examples, and the search for the nearest example."""
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import inputs


def squared_error(x: ArrayLike, y: ArrayLike) -> jax.Array:
  """||x - y||^2 of each pair of examples, summed over an example's axes.

  Args:
    x: [B, ...].
    y: [B, ...].

  Returns:
    [B]

  Raises:
    ValueError: the shapes differ.
  """
  return power_error(x, y, p=2)


def power_error(x: ArrayLike, y: ArrayLike, *, p: float) -> jax.Array:
  """||x - y||_p^p of each pair of examples, summed over an example's axes.

  This is the cost of Sun and Guo, "Symmetric Wasserstein autoencoders", 2021,
  eq. 3.

  Args:
    x: [B, ...].
    y: [B, ...].
    p: a number of at least 1; the p-th root is not taken.

  Returns:
    [B]

  Raises:
    ValueError: the shapes differ, or p is below 1.
  """
  x, y = inputs.alike('power_error', x=x, y=y)
  return jnp.sum(abs_power(x - y, p), axis=range(1, x.ndim))


def abs_power(x: jax.Array, p: float) -> jax.Array:
  """|x|^p of each element, with the gradient 0 at 0; ValueError if p < 1."""
  if not p >= 1:
    raise ValueError(f'p must be at least 1 for a transport cost, got {p}')
  # The derivative of `abs` at 0 is 1 in JAX, that of `sign` is 0.
  return x**2 if p == 2 else (x * jnp.sign(x))**p


def squared_distances(x: ArrayLike, y: ArrayLike) -> jax.Array:
  """||x_i - y_j||^2 of all pairs, by one matrix product.

  The code first subtracts the mean of `y` from all points, so a shift of all
  points costs no accuracy.

  Args:
    x: [N, D].
    y: [M, D].

  Returns:
    [N, M], not negative.

  Raises:
    ValueError: the arrays are not matrices with the same D.
  """
  x, y = inputs.samples('squared_distances', x=x, y=y)
  # Distances do not depend on the centre, so the centre carries no gradient.
  centre = jax.lax.stop_gradient(jnp.mean(y, axis=0, keepdims=True))
  x, y = x - centre, y - centre
  # The default precision of a product on TPU is bfloat16, too coarse here.
  xy = jnp.matmul(x, y.T, precision='highest')
  squares = jnp.sum(x**2, 1)[:, None] + jnp.sum(y**2, 1)[None, :]
  d2 = squares - 2 * xy
  return jnp.where(d2 < 0, 0., d2)


def nearest(x: ArrayLike, u: ArrayLike, *,
            similarity: Literal['l2', 'cosine'] = 'l2',
            block: int | None = None) -> jax.Array:
  """Index of the example in `u` that is most similar to each example in `x`.

  This is the coupling of Sun and Guo, "Symmetric Wasserstein autoencoders",
  2021, section 2.3 and Algorithm 1: each example takes its nearest
  pseudo-input.  The index has no gradient.

  Args:
    x: [B, ...].
    u: [K, ...], examples of the same shape.
    similarity: 'l2' takes the least ||x - u||; 'cosine' takes the greatest
      cosine, where the cosine with a zero vector is 0.
    block: the number of examples in `u` that one product compares.  The largest
      array is then [B, block].  None compares all examples in one product.  No
      system sets `block`; it serves callers with far more than a few thousand
      pseudo-inputs.

  Returns:
    [B] int32; the first index where several are equally near.

  Raises:
    ValueError: examples of different shapes, an unknown similarity, or a block
      below 1.
  """
  sides = jnp.shape(x), jnp.shape(u)
  if len(sides[0]) < 2 or sides[0][1:] != sides[1][1:] or not sides[1][0]:
    raise ValueError('nearest: x [B, ...] and u [K, ...] must hold examples of '
                     f'one shape, got {list(sides[0])} and {list(sides[1])}')
  if similarity not in ('l2', 'cosine'):
    raise ValueError(
        f"nearest: similarity must be 'l2' or 'cosine', got {similarity!r}")
  if block is not None and block < 1:
    raise ValueError(f'nearest: block must be at least 1, got {block}')
  x, u = jax.lax.stop_gradient(inputs.cast(x, u))
  x, u = x.reshape(len(x), -1), u.reshape(len(u), -1)
  size = min(block or len(u), len(u))

  def search(i, best):
    # The last block is full, too: its repeated rows cannot win again.
    start = jnp.minimum(i * size, len(u) - size)
    cost = _costs(x, jax.lax.dynamic_slice_in_dim(u, start, size), similarity)
    k = jnp.argmin(cost, axis=1)
    cost = jnp.take_along_axis(cost, k[:, None], axis=1)[:, 0]
    better = cost < best[0]
    index = (start + k).astype(jnp.int32)
    return jnp.where(better, cost, best[0]), jnp.where(better, index, best[1])

  if size == len(u):
    return jnp.argmin(_costs(x, u, similarity), axis=1).astype(jnp.int32)
  # These arrays derive from x, so that they vary over the devices as x does.
  start = jnp.full_like(x[:, 0], jnp.inf), jnp.zeros_like(x[:, 0], jnp.int32)
  return jax.lax.fori_loop(0, -(-len(u) // size), search, start)[1]


def _costs(x: jax.Array, u: jax.Array, similarity: str) -> jax.Array:
  """The cost that `nearest` minimises.  [B, D], [K, D] -> [B, K]."""
  xu = jnp.matmul(x, u.T, precision='highest')
  if similarity == 'l2':
    # ||x||^2 is the same for all rows of u and would only cost accuracy.
    return jnp.sum(u**2, 1)[None, :] - 2 * xu
  norm = jnp.sqrt(jnp.sum(u**2, 1))[None, :]
  return -xu / jnp.where(norm == 0, 1., norm)
