"""Distances between examples, and the search for the nearest example."""
import functools
from typing import Literal

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import _pairs, collectives, inputs

FEW_AXES = 8  # Up to this D, squares of differences are as fast as a product.
CLOSE = 4  # Candidates for the nearest example whose distances are exact.


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
  """|x|^p of each element; ValueError if p < 1.

  At x = 0 all derivatives are 0, except for the second derivative at p = 2.
  """
  if not p >= 1:
    raise ValueError(f'p must be at least 1 for a transport cost, got {p}')
  if p == 2:
    return x**2
  zero = x == 0
  # The power is taken where its derivatives are finite.
  return jnp.where(zero, 0., jnp.abs(jnp.where(zero, 1., x))**p)


def squared_distances(x: ArrayLike, y: ArrayLike) -> jax.Array:
  """||x_i - y_j||^2 of all pairs.

  Up to D = 8 the code sums the squares of the differences, so the result is
  exact but for the rounding of this sum.  Beyond D = 8 the code takes one
  matrix product.  Then the error is about 1e-7 (|x_i|^2 + |y_j|^2), and points
  at a smaller distance may get 0.  Samples that lie far from the origin are
  first moved there, so a shift of all points costs no accuracy.

  Args:
    x: [N, D].
    y: [M, D].

  Returns:
    [N, M], not negative.  On a mesh with explicit axes the rows stay spread as
    those of `x`.

  Raises:
    ValueError: the arrays are not matrices with the same D.
  """
  x, y = inputs.samples('squared_distances', x=x, y=y)
  y, x = inputs.near_zero(collectives.replicate(y), x)
  return _squared_distances(x, y)


@jax.custom_jvp
def _squared_distances(x, y):
  if x.shape[1] <= FEW_AXES:
    return sum(((x[:, i, None] - y[None, :, i])**2 for i in range(x.shape[1])),
               jnp.zeros((), x.dtype))
  squares = jnp.sum(x**2, 1)[:, None] + jnp.sum(y**2, 1)[None]
  d2 = squares - 2 * _product(x, y)
  return jnp.where(d2 < 0, 0., d2)


@_squared_distances.defjvp
def _squared_distances_jvp(primals, tangents):
  # For both forms by products: the derivative of the sum of squares would take
  # ten times as long.
  (x, y), (dx, dy) = primals, tangents
  along = jnp.sum(x * dx, 1)[:, None] + jnp.sum(y * dy, 1)[None]
  return (_squared_distances(x, y),
          2 * (along - _product(dx, y) - _product(x, dy)))


def _product(x, y):
  """[N, D], [M, D] -> [N, M]."""
  # The default precision of a product on TPU is bfloat16, too coarse here.
  return jnp.matmul(x, y.T, precision='highest')


def nearest(x: ArrayLike, u: ArrayLike, *,
            similarity: Literal['l2', 'cosine'] = 'l2',
            block: int | None = None) -> jax.Array:
  """Index of the example in `u` that is most similar to each example in `x`.

  This is the coupling of Sun and Guo, "Symmetric Wasserstein autoencoders",
  2021, section 2.3 and Algorithm 1: each example takes its nearest
  pseudo-input.  The index has no gradient.

  A matrix product finds the few candidates that rounding cannot tell apart, and
  differences decide between them.  So the result is that of a search by
  differences in float32, also far from the origin.

  Args:
    x: [B, ...].
    u: [K, ...], examples of the same shape.
    similarity: 'l2' takes the least ||x - u||; 'cosine' takes the greatest
      cosine, where the cosine with a zero vector is 0.
    block: the number of examples in `u` that one product compares.  The largest
      array is then [B, block].  None takes as many as keep this array below
      2^24 numbers.  The result is the same for all blocks.

  Returns:
    [B] int32, spread over devices as the examples in `x`; the first index where
    several are equally near.  An example in `u` with NaN is never nearest; an
    example in `x` with NaN gets index 0.

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
  rows, others = jax.lax.stop_gradient(inputs.cast(x, u))
  whole = [collectives.replicate(a.reshape(len(a), -1)) for a in (rows, others)]
  return collectives.spread(
      _nearest(whole[0], whole[1], similarity, block), rows)


def _nearest(x, u, similarity, block):
  """`nearest` of flat examples that are whole on each device."""
  size = min(block or max(1, _pairs.LIMIT // max(1, len(x))), len(u))
  x, u = _scaled(x, u)
  if similarity == 'l2':
    b, a = inputs.near_zero(u, x)
    return _search(a, b, jnp.sum(b**2, 1), size,
                   lambda v, w: jnp.sum((v - w)**2, -1), x, u)
  x, u = _unit(x), _unit(u)
  return _search(x, u, jnp.zeros_like(u[:, 0]), size,
                 lambda v, w: -jnp.sum(v * w, -1), x, u)


def _scaled(*arrays):
  """The arrays times a power of two that keeps their squares finite."""
  top = functools.reduce(jnp.maximum, [
      jnp.max(jnp.where(jnp.isfinite(a), jnp.abs(a), 0.)) for a in arrays])
  exponent = jnp.frexp(top)[1]
  return tuple(jnp.ldexp(a, -exponent) for a in arrays)


def _unit(x):
  """Rows scaled to length 1; zero rows stay zero."""
  for norm in (lambda x: jnp.max(jnp.abs(x), 1, keepdims=True),
               lambda x: jnp.linalg.norm(x, axis=1, keepdims=True)):
    length = norm(x)
    x = x / jnp.where(length == 0, 1., length)
  return x


def _search(a, b, bias, size, cost, x, u):
  """Index of the row of u with the least cost, for each row of x.

  Args:
    a, b, bias: [B, D], [K, D], [K]; bias - 2 a b' is the cost but for rounding
      and a term for each row of x.
    size: rows of b in a product.
    cost: [..., D], [..., D] -> [...], the cost by differences.
    x, u: [B, D], [K, D], the arguments of the cost.
  """
  kept = min(CLOSE + 1, len(u))
  length = lambda v: jnp.sqrt(jnp.sum(v**2, 1))
  long_a, long_b = length(a), length(b)
  rounding = 2 * a.shape[1]**.5 * jnp.finfo(a.dtype).eps

  def compare(i, found):
    """Merges a block: the least lower bounds, and the least upper bound."""
    lower, index, upper = found
    start = jnp.minimum(i * size, len(u) - size)
    block = lambda v: jax.lax.dynamic_slice_in_dim(v, start, size)
    rough = block(bias)[None] - 2 * _product(a, block(b))
    slack = rounding * block(long_b)[None] * (
        block(long_b)[None] + 2 * long_a[:, None])
    # The last block repeats rows of the block before.
    number = start + jnp.arange(size, dtype=jnp.int32)
    left_out = jnp.isnan(rough) | (number < i * size)[None]
    low, high = (jnp.where(left_out, jnp.inf, rough + sign * slack)
                 for sign in (-1, 1))
    least, at = jax.lax.top_k(-jnp.concatenate([lower, low], 1), kept)
    number = jnp.broadcast_to(number[None], low.shape)
    index = jnp.take_along_axis(jnp.concatenate([index, number], 1), at, 1)
    return -least, index, jnp.minimum(upper, jnp.min(high, 1))

  # These arrays derive from a, so that they vary over the devices as a does.
  none = jnp.full_like(a[:, :1], jnp.inf)
  found = (jnp.tile(none, (1, kept)),
           jnp.tile(jnp.zeros_like(none, jnp.int32), (1, kept)), none[:, 0])
  lower, index, upper = jax.lax.fori_loop(
      0, -(-len(u) // size), compare, found)
  rows = max(1, len(x) * size // len(u))
  return _decide(lower, index, upper, rows, cost, x, u)


def _decide(lower, index, upper, rows, cost, x, u):
  """The candidate with the least cost, the first among equals.

  If there are more candidates than `index` holds, rounding cannot tell many
  examples apart, and a search by differences takes `rows` rows at a time.
  """

  def first(costs, index):
    costs = jnp.where(jnp.isnan(costs), jnp.inf, costs)
    least = jnp.min(costs, 1, keepdims=True)
    return jnp.min(jnp.where(costs == least, index, len(u)), 1)

  def among_candidates():
    costs = cost(x[:, None], jnp.take(u, index, axis=0))
    return first(jnp.where(lower <= upper[:, None], costs, jnp.inf), index)

  def among_all():
    number = jnp.arange(len(u), dtype=jnp.int32)[None]
    one = lambda row: first(cost(row[None], u)[None], number)[0]
    return jax.lax.map(one, x, batch_size=rows)

  known = jnp.isfinite(upper)
  if index.shape[1] == len(u):
    found = among_candidates()
  else:
    found = jax.lax.cond(jnp.any(known & (lower[:, -1] <= upper)),
                         among_all, among_candidates)
  return jnp.where(known, found, 0)
