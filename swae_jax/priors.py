"""Priors of codes, and random directions.

A prior is a law p(z) of codes with `d` axes.  Each function of PRIORS returns
one, as a `Prior`:

    prior = priors.ring(radius=2.)
    z_prior = prior.sample(key, 256, 8)  # [256, 8]

Kolouri et al., "Sliced-Wasserstein autoencoder", 2018, section V, name the
uniform, ring, circle and bowl laws; each docstring below defines its law.  No
file in configs/ uses disc, bowl, gmm or swiss_roll; --config.prior.name selects
these laws for a run.
"""
from collections.abc import Callable
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax import options


class Prior(NamedTuple):
  """A law of codes.

  Attributes:
    sample: key, n, d -> z [n, d], n independent samples.  Raises ValueError if
      n is below 1 or the law does not exist in d dimensions.
    log_prob: z [n, d] -> log p(z) [n]; None if the density has no known form.
    variance: d -> a number, the variance about the mean, averaged over the
      axes.
  """
  sample: Callable[[jax.Array, int, int], jax.Array]
  log_prob: Callable[[ArrayLike], jax.Array] | None
  variance: Callable[[int], float]


def normal(*, scale: options.Positive = 1.) -> Prior:
  """N(0, scale^2 I), the prior of Tolstikhin et al. 2018.

  Args:
    scale: standard deviation of each axis.
  """
  def sample(key: jax.Array, n: int, d: int) -> jax.Array:
    _check('normal', n, d)
    return scale * jax.random.normal(key, (n, d))

  def log_prob(z: ArrayLike) -> jax.Array:
    z = _codes(z)
    return jnp.sum(_log_normal(z / scale) - math.log(scale), axis=1)

  return Prior(sample, log_prob, lambda d: scale**2)


def uniform(*, scale: options.Positive = 1.) -> Prior:
  """Uniform law on the cube [-scale, scale]^d: "uniform" in Kolouri et al.

  Args:
    scale: half the side of the cube.
  """
  def sample(key: jax.Array, n: int, d: int) -> jax.Array:
    _check('uniform', n, d)
    return scale * jax.random.uniform(key, (n, d), minval=-1.)

  def log_prob(z: ArrayLike) -> jax.Array:
    z = _codes(z)
    inside = jnp.all(jnp.abs(z) <= scale, axis=1)
    return jnp.where(inside, -z.shape[1] * math.log(2 * scale), -jnp.inf)

  return Prior(sample, log_prob, lambda d: scale**2 / 3)


def disc(*, radius: options.Positive = 1.) -> Prior:
  """Uniform law on a ball.

  Args:
    radius: radius of the ball.
  """
  return _radial('disc', radius, lambda d: d)


def circle(*, radius: options.Positive = 1.) -> Prior:
  """Law on the ball with a uniform distance |z|: "circle" in Kolouri et al.

  The released notebook of Kolouri et al. draws the radius and the angle
  uniformly.  The density is proportional to |z|^(1 - d), so the density is
  highest at the centre; the law of `disc` is uniform.

  Args:
    radius: radius of the ball.
  """
  return _radial('circle', radius, lambda d: 1)


def bowl(*, radius: options.Positive = 1.) -> Prior:
  """Law on the ball with a density proportional to |z|^2.

  Kolouri et al. name a "bowl" without a figure or a formula.  The density here
  is a paraboloid: 0 at the centre and highest at the rim.

  Args:
    radius: radius of the ball.
  """
  return _radial('bowl', radius, lambda d: d + 2)


def ring(*, radius: options.Positive = 1.,
         noise: options.NonNegative = .01) -> Prior:
  """Uniform law on a sphere, plus N(0, noise^2 I).

  This is the "ring" of Kolouri et al.; their code calls scikit-learn's
  make_circles with this noise.  The law needs at least 2 axes.

  Args:
    radius: radius of the sphere.
    noise: standard deviation of the noise on each axis.
  """
  def sample(key: jax.Array, n: int, d: int) -> jax.Array:
    _check('ring', n, d, least=2)
    k1, k2 = jax.random.split(key)
    return (radius * directions(k1, n, d)
            + noise * jax.random.normal(k2, (n, d)))

  return Prior(sample, None, lambda d: radius**2 / d + noise**2)


def gmm(*, modes: options.Count = 5, spacing: options.Positive = 1.,
        scale: options.Positive = .2) -> Prior:
  """Equal mixture of normals at spacing * (k, ..., k), k = 0 ... modes - 1.

  This is the toy law of Sun and Guo, "Symmetric Wasserstein autoencoders",
  2021, figure 1 (5 modes), with the spacing and the scale of their released
  code.

  Args:
    modes: number of components.
    spacing: distance of neighbouring means along each axis.
    scale: standard deviation of each axis within a component.
  """
  def sample(key: jax.Array, n: int, d: int) -> jax.Array:
    _check('gmm', n, d)
    k1, k2 = jax.random.split(key)
    k = jax.random.randint(k1, (n, 1), 0, modes)
    return spacing * k + scale * jax.random.normal(k2, (n, d))

  def log_prob(z: ArrayLike) -> jax.Array:
    z = _codes(z)
    means = spacing * jnp.arange(modes, dtype=z.dtype)[None, None]
    log_p = _log_normal((z[:, :, None] - means) / scale) - math.log(scale)
    return jax.nn.logsumexp(jnp.sum(log_p, axis=1), axis=1) - math.log(modes)

  return Prior(sample, log_prob,
               lambda d: spacing**2 * (modes**2 - 1) / 12 + scale**2)


def swiss_roll(*, noise: options.NonNegative = 0.) -> Prior:
  """Sheet rolled up by one and a half turns, within [-1, 1]^d.

  The distance t from the axis is uniform on [1/3, 1] and the angle is
  4.5 pi t.  In 3 dimensions the sheet has a height, uniform on [-1, 1]; in 2
  dimensions the law is the spiral alone.

  Args:
    noise: standard deviation of normal noise on each axis.
  """
  def sample(key: jax.Array, n: int, d: int) -> jax.Array:
    _check('swiss_roll', n, d)
    if d not in (2, 3):
      raise ValueError(f'swiss_roll: needs d = 2 or d = 3, got d = {d}')
    k1, k2, k3 = jax.random.split(key, 3)
    t = jax.random.uniform(k1, (n,), minval=1 / 3, maxval=1.)
    angle = 4.5 * jnp.pi * t
    height = jax.random.uniform(k2, (n,), minval=-1.)
    roll = (t * jnp.cos(angle), t * jnp.sin(angle), height)
    return jnp.stack(roll[:d], 1) + noise * jax.random.normal(k3, (n, d))

  def variance(d: int) -> float:
    # With a = 4.5 pi: E t^2 = 13/27.  The antiderivatives of t cos(at) and of
    # t sin(at) at 1/3 and 1 give the mean: cos(a) = 0 and sin(a) = 1 at t = 1,
    # cos(a/3) = 0 and sin(a/3) = -1 at t = 1/3; the density of t is 3/2.
    a = 4.5 * math.pi
    mean_x = 1.5 * (1 + 1 / 3) / a
    mean_y = 1.5 * 2 / a**2
    spread = 13 / 27 - mean_x**2 - mean_y**2 + (1 / 3 if d == 3 else 0.)
    return spread / d + noise**2

  return Prior(sample, None, variance)


def is_standard_normal(prior: Prior, d: int) -> bool:
  """Whether `prior` is N(0, I) in d dimensions, by its density at two points.
  """
  if prior.log_prob is None:
    return False
  with jax.ensure_compile_time_eval():
    found = prior.log_prob(jnp.stack([jnp.zeros(d), jnp.ones(d)]))
    far = -d / 2 * math.log(2 * math.pi)
    return bool(jnp.allclose(found, jnp.array([far, far - d / 2]), rtol=1e-4))


def directions(key: jax.Array, n: int, d: int) -> jax.Array:
  """Unit vectors, uniform on the sphere: theta in eq. 16 of Kolouri et al.

  Args:
    key: random key.
    n: number of directions.
    d: number of axes.

  Returns:
    [n, d]

  Raises:
    ValueError: n or d is below 1.
  """
  _check('directions', n, d)
  theta = jax.random.normal(key, (n, d))
  # A zero draw has no direction; zeros are rare unless d = 1 and n is large.
  zero = jnp.all(theta == 0, axis=1, keepdims=True)
  theta = jnp.where(zero, 1., theta)
  return theta / jnp.linalg.norm(theta, axis=1, keepdims=True)


PRIORS: dict[str, Callable[..., Prior]] = {
    'normal': normal,
    'uniform': uniform,
    'disc': disc,
    'circle': circle,
    'bowl': bowl,
    'ring': ring,
    'gmm': gmm,
    'swiss_roll': swiss_roll,
}


def _radial(name: str, radius: float,
            power: Callable[[int], int]) -> Prior:
  """Isotropic law with P(|z| <= r) = (r / radius)^power(d)."""
  def sample(key: jax.Array, n: int, d: int) -> jax.Array:
    _check(name, n, d)
    k1, k2 = jax.random.split(key)
    r = jax.random.uniform(k1, (n, 1))**(1 / power(d))
    return radius * r * directions(k2, n, d)

  def log_prob(z: ArrayLike) -> jax.Array:
    z = _codes(z)
    d, m = z.shape[1], power(z.shape[1])
    r = jnp.linalg.norm(z, axis=1) / radius
    # The density of r is m r^(m - 1), and the sphere of radius r has the area
    # r^(d - 1) times that of the unit sphere.
    sphere = math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)
    height = math.log(m) - sphere - d * math.log(radius)
    log_p = height + (m - d) * jnp.log(r) if m != d else (
        jnp.full_like(r, height))
    return jnp.where(r <= 1, log_p, -jnp.inf)

  return Prior(sample, log_prob,
               lambda d: radius**2 * power(d) / (power(d) + 2) / d)


def _codes(z: ArrayLike) -> jax.Array:
  z = jnp.asarray(z, jnp.result_type(jnp.float32, z))
  if z.ndim != 2:
    raise ValueError(f'log_prob: z must be [n, d], got {list(z.shape)}')
  return z


def _log_normal(z: jax.Array) -> jax.Array:
  return -.5 * (z**2 + math.log(2 * math.pi))


def _check(name: str, n: int, d: int, least: int = 1) -> None:
  if n < 1 or d < least:
    raise ValueError(f'{name}: needs n >= 1 and d >= {least}, got n = {n}, '
                     f'd = {d}')
