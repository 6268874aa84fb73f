"""Sinkhorn divergence, through the library ott-jax."""
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import collectives, distances, inputs


def sinkhorn_divergence(z: ArrayLike, z_prior: ArrayLike, *,
                        epsilon: float = 1., max_iterations: int = 200,
                        threshold: float = 1e-4,
                        axis_name: str | None = None) -> jax.Array:
  """Entropic transport cost |z - z'|^2, less that of each sample with itself.

  Feydy et al., "Interpolating between optimal transport and MMD using Sinkhorn
  divergences", 2019, eq. 3; the penalty of Patrini et al., "Sinkhorn
  autoencoders", 2019.  For small `epsilon` it approaches the squared
  Wasserstein-2 distance.  It is not negative, except for the error of an
  iteration that stops early, and it needs the package ott-jax.

  With `axis_name` it is the divergence of the examples of all devices, with
  the exact gradients of `mmd`.

  Args:
    z: [N, D] codes.
    z_prior: [M, D] samples of the prior.
    epsilon: weight of the entropy, in units of the cost.
    max_iterations: the greatest number of Sinkhorn iterations.
    threshold: the iteration ends when the marginals of the plan err by less.
    axis_name: named axis over which the examples are spread, if any.

  Returns:
    A scalar.

  Raises:
    ImportError: ott-jax is not installed.
    ValueError: z, z_prior are not matrices with one D, or epsilon is not
      positive.
  """
  if not epsilon > 0:
    raise ValueError(
        f'sinkhorn_divergence: epsilon must be above 0, got {epsilon}')
  z, z_prior = inputs.samples('sinkhorn_divergence', z=z, z_prior=z_prior)
  z = collectives.gather(z, axis_name)
  z_prior = collectives.gather(z_prior, axis_name)
  cost = lambda x, y: _entropic_cost(
      x, y, epsilon, max_iterations, threshold)
  return cost(z, z_prior) - .5 * (cost(z, z) + cost(z_prior, z_prior))


def _entropic_cost(x: jax.Array, y: jax.Array, epsilon: float,
                   max_iterations: int, threshold: float) -> jax.Array:
  """The dual value, without a constant that the divergence cancels."""
  try:
    from ott.geometry import pointcloud
    from ott.solvers import linear
  except ImportError as e:
    raise ImportError('sinkhorn_divergence needs ott-jax: pip install '
                      "'swae_jax[sinkhorn]'") from e
  with jax.numpy_rank_promotion('allow'):  # ott-jax needs it.
    found = linear.solve(
        pointcloud.PointCloud(*jax.lax.stop_gradient((x, y)), epsilon=epsilon),
        max_iterations=max_iterations, threshold=threshold)
  f, g = jax.lax.stop_gradient((found.f, found.g))
  # By the envelope theorem the gradient is that of the cost at fixed
  # potentials; nothing is differentiated through the iteration.
  d2 = distances.squared_distances(x, y)
  # The potentials of ott-jax contain the masses 1 / N and 1 / M: the plan
  # sums to 1, and the constant is epsilon log(N M).
  plan = jnp.exp((f[:, None] + g[None] - d2) / epsilon)
  return jnp.mean(f) + jnp.mean(g) - epsilon * (jnp.sum(plan) - 1)
