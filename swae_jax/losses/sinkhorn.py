"""Sinkhorn divergence, through the library ott-jax."""
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import collectives, distances, inputs


def sinkhorn_divergence(z: ArrayLike, z_prior: ArrayLike, *,
                        epsilon: float = 1., max_iterations: int = 200,
                        threshold: float = 1e-4,
                        axis_name: str | None = None) -> jax.Array:
  """Sinkhorn divergence of codes and samples of the prior.

  The divergence is the entropic transport cost between the two samples, with
  the cost |z - z'|^2, minus half the entropic cost of each sample with itself:
  Feydy et al., "Interpolating between optimal transport and MMD using Sinkhorn
  divergences", 2019, eq. 3.  The divergence is the penalty of Patrini et al.,
  "Sinkhorn autoencoders", 2019.  For small `epsilon` the divergence approaches
  the squared Wasserstein-2 distance.  The divergence is at least 0, except for
  the error of an iteration that stops early.  The function needs the package
  ott-jax.

  With `axis_name` the result is the divergence of the examples of all devices;
  `mmd` says which gradients are then exact.  ott-jax does not run inside
  `shard_map(check_vma=True)`; give `check_vma=False` there.

  Args:
    z: [N, D] codes.
    z_prior: [M, D] samples of the prior.
    epsilon: weight of the entropy, in units of the cost.
    max_iterations: the greatest number of Sinkhorn iterations.
    threshold: the iteration ends when the error of the plan's marginals is
      below this number.
    axis_name: named axis over which the examples are spread, if any.

  Returns:
    A scalar.

  Raises:
    ImportError: ott-jax is not installed.
    ValueError: z, z_prior are not matrices with one D, or epsilon is not
      positive.
  """
  inputs.positive('sinkhorn_divergence', 'epsilon', epsilon)
  z, z_prior = inputs.samples('sinkhorn_divergence', z=z, z_prior=z_prior)
  z = collectives.gather(z, axis_name)
  z_prior = collectives.gather(z_prior, axis_name)
  z, z_prior = inputs.near_zero(z, z_prior)
  cost = lambda x, y: _entropic_cost(
      x, y, epsilon, max_iterations, threshold)
  return cost(z, z_prior) - .5 * (cost(z, z) + cost(z_prior, z_prior))


def _entropic_cost(x: jax.Array, y: jax.Array, epsilon: float,
                   max_iterations: int, threshold: float) -> jax.Array:
  """Dual value of entropic transport.  [N, D], [M, D] -> scalar.

  The value lacks a constant that cancels in the divergence.
  """
  try:
    from ott.geometry import pointcloud
    from ott.solvers import linear
  except ImportError as e:
    raise ImportError('sinkhorn_divergence needs ott-jax: pip install '
                      "'swae_jax[sinkhorn]'") from e
  with jax.numpy_rank_promotion('allow'):  # ott-jax promotes ranks.
    found = linear.solve(
        pointcloud.PointCloud(*jax.lax.stop_gradient((x, y)), epsilon=epsilon),
        max_iterations=max_iterations, threshold=threshold)
  f, g = found.f, found.g  # pyright: ignore[reportAttributeAccessIssue]
  f, g = jax.lax.stop_gradient((f, g))
  # By the envelope theorem, the gradient at fixed potentials is the gradient of
  # the cost, so no derivative passes through the iteration.
  d2 = distances.squared_distances(x, y)
  # The potentials of ott-jax contain the masses 1 / N and 1 / M: the plan
  # sums to 1, and the constant is epsilon log(N M).
  plan = jnp.exp((f[:, None] + g[None] - d2) / epsilon)
  return jnp.mean(f) + jnp.mean(g) - epsilon * (jnp.sum(plan) - 1)
