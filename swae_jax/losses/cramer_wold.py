"""Cramer-Wold distance: smoothed projections, in closed form."""
from collections.abc import Callable
import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
import numpy as np

from swae_jax.losses import _pairs, collectives, distances, inputs

FEW_AXES = 20  # From this D on, Kummer's function is approximated.


def cramer_wold(z: ArrayLike, z_prior: ArrayLike | None = None, *,
                axis_name: str | None = None) -> jax.Array:
  """Squared Cramer-Wold distance of codes to N(0, I), or of two samples.

  Knop et al., "Cramer-Wold auto-encoder", 2020, define the distance: the mean
  over all directions of the squared L2 distance between the projected samples,
  after a normal kernel of variance gamma has smoothed each of them.  The mean
  has a closed form, so the function draws no direction.  gamma follows
  Silverman's rule for the number of codes, (4 / (3 N))^(2/5).

  The closed form contains Kummer's function 1F1(1/2; D/2; -s).  From D = 20 on
  the code approximates this function by (1 + 4 s / (2 D - 3))^(-1/2), as in the
  paper.  Below D = 20 the code computes the function to the precision of
  float32.

  With `axis_name` the result is the distance of the examples of all devices;
  `mmd` says which gradients are then exact.

  Args:
    z: [N, D] codes.
    z_prior: [M, D] samples of the prior; None for the standard normal law.
    axis_name: named axis over which the examples are spread, if any.

  Returns:
    A scalar, not negative.

  Raises:
    ValueError: the arrays are not matrices with one D.
  """
  given = {'z': z} if z_prior is None else {'z': z, 'z_prior': z_prior}
  codes, *other = (collectives.gather(a, axis_name)
                   for a in inputs.samples('cramer_wold', **given))
  gamma = (4 / (3 * len(codes)))**.4
  if other:
    codes, other = inputs.near_zero(codes, other[0])
    total = (_mean_kernel(codes, codes, gamma)
             + _mean_kernel(other, other, gamma)
             - 2 * _mean_kernel(codes, other, gamma)) / math.sqrt(gamma)
  else:
    phi = _kummer(codes.shape[1])
    norms = jnp.sum(codes**2, axis=1)
    total = (_mean_kernel(codes, codes, gamma) / math.sqrt(gamma)
             + 1 / math.sqrt(1 + gamma) - 2 / math.sqrt(gamma + .5)
             * jnp.mean(phi(norms / (2 + 4 * gamma))))
  return inputs.not_negative(total / (2 * math.sqrt(math.pi)))


def _mean_kernel(x: jax.Array, y: jax.Array, gamma: float) -> jax.Array:
  phi = _kummer(x.shape[1])
  return _pairs.between(x, y, lambda x, y, _: phi(
      distances.squared_distances(x, y) / (4 * gamma)))


def _kummer(d: int) -> Callable[[jax.Array], jax.Array]:
  """The function s -> 1F1(1/2; d/2; -s), elementwise.

  1F1(1/2; d/2; -s) is E exp(-s u^2), where u is one coordinate of a direction
  that is uniform on the sphere.
  """
  if d >= FEW_AXES:
    return lambda s: (1 + 4 * s / (2 * d - 3))**-.5
  squares, weights = _nodes(d)
  # For a large s the nodes are too few, and a series in 1 / s is exact.
  far = 200.
  front = 0. if d == 1 else math.exp(
      math.lgamma(d / 2) - math.lgamma((d - 1) / 2))
  terms = [1.]
  for k in range(6):
    terms.append(terms[-1] * (.5 + k) * (1.5 - d / 2 + k) / (k + 1))

  def phi(s):
    near = jnp.minimum(s, far)[..., None]
    u2, weight = (jnp.asarray(a, s.dtype).reshape([1] * s.ndim + [-1])
                  for a in (squares, weights))
    value = jnp.sum(weight * jnp.exp(-near * u2), axis=-1)
    beyond = jnp.maximum(s, far)
    series = front * beyond**-.5 * sum(
        c * beyond**-k for k, c in enumerate(terms))
    return jnp.where(s <= far, value, series)

  return phi


def _nodes(d: int) -> tuple[np.ndarray, np.ndarray]:
  """Squares u^2 [n] and weights [n] of a quadrature over directions."""
  if d == 1:
    return np.ones(1), np.ones(1)
  if d % 2:  # The density of u, (1 - u^2)^((d - 3) / 2), is smooth on [0, 1].
    u, weights = np.polynomial.legendre.leggauss(48)
    u, weights = (u + 1) / 2, weights * (1 - ((u + 1) / 2)**2)**((d - 3) / 2)
  else:  # With u = sin a, the density cos(a)^(d - 2) is smooth and periodic.
    angle = np.linspace(0, np.pi / 2, 41)
    u, weights = np.sin(angle), np.abs(np.cos(angle))**(d - 2)
    weights[[0, -1]] /= 2
  return u**2, weights / weights.sum()
