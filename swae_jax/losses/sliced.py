"""Sliced Wasserstein distances."""
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
import numpy as np

from swae_jax.losses import _sorting, collectives, distances, inputs


def sliced_wasserstein(z: ArrayLike, z_prior: ArrayLike, theta: ArrayLike, *,
                       p: float = 2., axis_name: str | None = None
                       ) -> jax.Array:
  """Mean over directions of W_p^p of the projected samples; no root is taken.

  This is the penalty of Kolouri et al., "Sliced-Wasserstein autoencoder", 2018,
  eq. 16, with the projections of eq. 15, eq. 14 in one dimension, and the cost
  |s - t|^p.  If the samples differ in size, the code couples their quantile
  functions exactly (eq. 9).

  With `axis_name` the result is the distance of the examples of all devices;
  theta must be the same on each device.  In `pmap` and
  `shard_map(check_vma=False)`, the pmean of the local gradients is the exact
  gradient.  In `shard_map(check_vma=True)`, the gradient of pmean(loss) is
  exact.

  Args:
    z: [N, D] codes.
    z_prior: [M, D] samples of the prior.
    theta: [L, D] unit vectors, as `priors.directions` draws them.
    p: exponent of the cost, a number of at least 1.
    axis_name: named axis over which the examples are spread, if any.

  Returns:
    A scalar, not negative.

  Raises:
    ValueError: the arrays are not matrices with one D, or p is below 1.
  """
  z, z_prior, theta = _gathered(
      'sliced_wasserstein', z, z_prior, theta, axis_name)
  return jnp.mean(_costs(z, z_prior, theta, p))


def max_sliced_wasserstein(z: ArrayLike, z_prior: ArrayLike, theta: ArrayLike,
                           *, p: float = 2., steps: int = 0,
                           step_size: float = .1,
                           axis_name: str | None = None) -> jax.Array:
  """Greatest W_p^p of the projected samples over directions; no root is taken.

  Deshpande et al., "Max-sliced Wasserstein distance and its use for GANs",
  2019.  The function moves each direction of `theta` by `steps` steps of ascent
  on the sphere, then takes the maximum over the directions.  If a step does not
  increase the cost, the direction stays and its next step is half as long, so
  the result never falls with more steps.  The gradient holds the maximising
  direction fixed, which is exact where the cost is smooth (Danskin's theorem).
  With steps > 0, `theta` has no gradient.

  Args:
    z: [N, D] codes.
    z_prior: [M, D] samples of the prior.
    theta: [L, D] unit vectors.
    p: exponent of the cost, a number of at least 1.
    steps: steps of ascent.
    step_size: length of the first step along the unit gradient.
    axis_name: named axis over which the examples are spread, if any;
      `sliced_wasserstein` says which gradients are then exact.

  Returns:
    A scalar, not negative.

  Raises:
    ValueError: the arrays are not matrices with one D, or p is below 1.
  """
  z, z_prior, theta = _gathered(
      'max_sliced_wasserstein', z, z_prior, theta, axis_name)
  if steps:
    x, y, start = jax.lax.stop_gradient((z, z_prior, theta))
    theta = _ascend(
        lambda t: _costs(x, y, t, p), start, steps, step_size, _unit)
  return jnp.max(_costs(z, z_prior, theta, p))


def distributional_sliced_wasserstein(
    z: ArrayLike, z_prior: ArrayLike, theta: ArrayLike, *, p: float = 2.,
    steps: int = 10, step_size: float = .1, regularization: float = 1.,
    axis_name: str | None = None) -> jax.Array:
  """Mean W_p^p over a law of directions that tells the samples apart.

  Nguyen et al., "Distributional sliced-Wasserstein and applications to
  generative modeling", 2021, in the dual form.  The directions are
  f(theta) = A theta / |A theta| for uniform theta.  The matrix A maximises
  mean W_p^p - regularization * mean |f(theta) . f(theta')|; the second term
  keeps the directions apart.  A starts at the identity and moves by `steps`
  steps of ascent.  If a step does not increase the value, A stays and the next
  step is half as long.  The gradient holds A fixed.

  Args:
    z: [N, D] codes.
    z_prior: [M, D] samples of the prior.
    theta: [L, D] unit vectors, as `priors.directions` draws them.
    p: exponent of the cost, a number of at least 1.
    steps: steps of ascent.
    step_size: length of the first step along the unit gradient.
    regularization: weight of the term that keeps the directions apart, in
      units of the cost.
    axis_name: named axis over which the examples are spread, if any;
      `sliced_wasserstein` says which gradients are then exact.

  Returns:
    A scalar, not negative.

  Raises:
    ValueError: the arrays are not matrices with one D, or p is below 1.
  """
  z, z_prior, theta = _gathered(
      'distributional_sliced_wasserstein', z, z_prior, theta, axis_name)
  x, y, theta = jax.lax.stop_gradient((z, z_prior, theta))
  d = theta.shape[1]

  def directions(a):
    return _unit(jnp.matmul(theta, a.T, precision='highest'))

  def values(flat):  # [1, D * D] -> [1], as `_ascend` needs.
    f = directions(flat.reshape(d, d))
    alike = jnp.mean(jnp.abs(jnp.matmul(f, f.T, precision='highest')))
    return (jnp.mean(_costs(x, y, f, p)) - regularization * alike)[None]

  start = jnp.eye(d, dtype=theta.dtype).reshape(1, -1)
  best = _ascend(values, start, steps, step_size, lambda v: v)
  return jnp.mean(_costs(z, z_prior, directions(best.reshape(d, d)), p))


def _gathered(where, z, z_prior, theta, axis_name):
  """The arrays after their checks, with the examples of all devices.

  A shift of both samples changes no distance, so they move near the origin.
  """
  z, z_prior, theta = inputs.samples(
      where, z=z, z_prior=z_prior, theta=theta)
  z, z_prior = inputs.near_zero(collectives.gather(z, axis_name),
                                collectives.gather(z_prior, axis_name))
  return z, z_prior, collectives.replicate(theta)


def _costs(x, y, theta, p):
  """W_p^p along each direction.  [N, D], [M, D], [L, D] -> [L]."""
  # The default precision of a product on TPU is bfloat16, too coarse here.
  project = lambda z: _sorting.sort(
      jnp.matmul(theta, z.T, precision='highest'))
  s, t = project(x), project(y)
  if len(x) == len(y):
    # Eq. 14: (1 / N) sum_n |s_n - t_n|^p of the sorted samples s and t.
    return jnp.mean(distances.abs_power(s - t, p), axis=1)
  i, j, weight = _coupling(len(x), len(y))
  cost = distances.abs_power(s[:, i] - t[:, j], p)
  return jnp.sum(cost * jnp.asarray(weight, cost.dtype)[None], axis=1)


def _coupling(n, m):
  """Quantile coupling of n and m equal masses: rows i, columns j, weights."""
  # In units of 1 / (n m) the edges of the steps are whole numbers.
  edges = np.union1d(m * np.arange(n + 1), n * np.arange(m + 1))
  return edges[:-1] // m, edges[:-1] // n, np.diff(edges) / (n * m)


def _ascend(costs, theta, steps, step_size, project):
  """Moves each row by itself, so that its cost grows.  [L, D] -> [L, D].

  `project` maps moved rows to allowed rows.
  """
  slope = jax.grad(lambda t: jnp.sum(costs(t)))

  def step(_, state):
    theta, cost, size = state
    moved = project(theta + size * _unit(slope(theta)))
    new = costs(moved)
    better = new > cost
    return (jnp.where(better[:, None], moved, theta),
            jnp.where(better, new, cost),
            jnp.where(better[:, None], size, size / 2))

  cost = costs(theta)
  size = jnp.full_like(cost[:, None], step_size)
  theta = theta + 0 * size  # The loop's state must vary over devices as costs.
  return jax.lax.fori_loop(0, steps, step, (theta, cost, size))[0]


def _unit(v):
  """Rows scaled to length 1; zero rows stay zero."""
  norm = jnp.linalg.norm(v, axis=1, keepdims=True)
  return v / jnp.where(norm == 0, 1., norm)
