"""Laws of codes to sample from: (key, n, d) -> [n, d], and directions.

Kolouri et al., "Sliced-Wasserstein autoencoder", 2018, section V, names the
uniform, ring, circle and bowl laws; what each is here, its docstring says.
"""
import jax
import jax.numpy as jnp


def normal(key, n, d, *, scale=1.):
  """N(0, scale^2 I), the prior of Tolstikhin et al. 2018.

  Args:
    key: random key.
    n: number of samples.
    d: number of axes.
    scale: standard deviation of each axis.

  Returns:
    [n, d]

  Raises:
    ValueError: n or d is below 1.
  """
  _check('normal', n, d)
  return scale * jax.random.normal(key, (n, d))


def uniform(key, n, d, *, scale=1.):
  """Uniform law on the cube [-scale, scale]^d: the "uniform" of Kolouri et al.

  Args:
    key: random key.
    n: number of samples.
    d: number of axes.
    scale: half the side of the cube.

  Returns:
    [n, d]

  Raises:
    ValueError: n or d is below 1.
  """
  _check('uniform', n, d)
  return scale * jax.random.uniform(key, (n, d), minval=-1.)


def disc(key, n, d, *, radius=1.):
  """Uniform law on the ball of `radius`: the "circle" of Kolouri et al.

  Args:
    key: random key.
    n: number of samples.
    d: number of axes.
    radius: of the ball.

  Returns:
    [n, d]

  Raises:
    ValueError: n or d is below 1.
  """
  return _radial('disc', key, n, d, radius, d)


def bowl(key, n, d, *, radius=1.):
  """Law on the ball whose density grows as |z|^2: a bowl seen as a surface.

  Kolouri et al. show their "bowl" in no figure and give no formula; a
  paraboloid, empty at the centre and full at the rim, is what the word says.

  Args:
    key: random key.
    n: number of samples.
    d: number of axes.
    radius: of the ball.

  Returns:
    [n, d]

  Raises:
    ValueError: n or d is below 1.
  """
  return _radial('bowl', key, n, d, radius, d + 2)


def ring(key, n, d, *, radius=1., noise=.01):
  """Uniform law on the sphere of `radius`, plus N(0, noise^2 I).

  The "ring" of Kolouri et al., whose code calls scikit-learn's make_circles
  with this noise.

  Args:
    key: random key.
    n: number of samples.
    d: number of axes, at least 2.
    radius: of the sphere.
    noise: standard deviation of each axis.

  Returns:
    [n, d]

  Raises:
    ValueError: n is below 1 or d below 2.
  """
  _check('ring', n, d, least=2)
  k1, k2 = jax.random.split(key)
  return radius * directions(k1, n, d) + noise * jax.random.normal(k2, (n, d))


def gmm(key, n, d, *, modes=5, spacing=1., scale=.2):
  """Equal mixture of normals at spacing * (k, ..., k), k = 0 ... modes - 1.

  The toy law of Sun and Guo, "Symmetric Wasserstein autoencoders", 2021,
  figure 1 (5 modes), with the spacing and scale of its released code.

  Args:
    key: random key.
    n: number of samples.
    d: number of axes.
    modes: number of components.
    spacing: distance of neighbours along each axis.
    scale: standard deviation of each axis within a component.

  Returns:
    [n, d]

  Raises:
    ValueError: n, d or modes is below 1.
  """
  _check('gmm', n, d)
  if modes < 1:
    raise ValueError(f'gmm: modes must be at least 1, got {modes}')
  k1, k2 = jax.random.split(key)
  k = jax.random.randint(k1, (n, 1), 0, modes)
  return spacing * k + scale * jax.random.normal(k2, (n, d))


def swiss_roll(key, n, d, *, noise=0.):
  """Sheet rolled up by one and a half turns, within [-1, 1]^d.

  Args:
    key: random key.
    n: number of samples.
    d: 3 for the sheet, 2 for its spiral.
    noise: standard deviation of normal noise on each axis.

  Returns:
    [n, d]

  Raises:
    ValueError: n is below 1, or d is neither 2 nor 3.
  """
  _check('swiss_roll', n, d)
  if d not in (2, 3):
    raise ValueError(f'swiss_roll: d must be 2 or 3, got {d}')
  k1, k2, k3 = jax.random.split(key, 3)
  t = jax.random.uniform(k1, (n,), minval=1 / 3, maxval=1.)
  angle = 4.5 * jnp.pi * t
  height = jax.random.uniform(k2, (n,), minval=-1.)
  roll = (t * jnp.cos(angle), t * jnp.sin(angle), height)
  return jnp.stack(roll[:d], 1) + noise * jax.random.normal(k3, (n, d))


def directions(key, n, d):
  """Unit vectors, uniform on the sphere: the theta of Kolouri et al., eq. 16.

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
  # A zero draw has no direction; probable only for d = 1 and many draws.
  zero = jnp.all(theta == 0, axis=1, keepdims=True)
  theta = jnp.where(zero, 1., theta)
  return theta / jnp.linalg.norm(theta, axis=1, keepdims=True)


PRIORS = {
    'normal': normal,
    'uniform': uniform,
    'disc': disc,
    'bowl': bowl,
    'ring': ring,
    'gmm': gmm,
    'swiss_roll': swiss_roll,
}


def _radial(name, key, n, d, radius, power):
  """Isotropic law with P(|z| <= r) = (r / radius)^power."""
  _check(name, n, d)
  k1, k2 = jax.random.split(key)
  r = jax.random.uniform(k1, (n, 1))**(1 / power)
  return radius * r * directions(k2, n, d)


def _check(name, n, d, least=1):
  if n < 1 or d < least:
    raise ValueError(f'{name}: needs n >= 1 and d >= {least}, got n = {n}, '
                     f'd = {d}')


from typing import NamedTuple as _NT, Any as _A  # TEMPORARY


class Prior(_NT):
  sample: _A
  log_prob: _A
  variance: _A


def _temp(fn):
  import functools, inspect
  names = [p for p in inspect.signature(fn).parameters.values() if p.kind is p.KEYWORD_ONLY]
  def make(**o):
    scale = o.get('scale', 1.)
    def log_prob(z):
      from swae_jax import losses
      import math
      return losses.log_normal(z, jnp.zeros_like(z), 2 * math.log(scale))
    return Prior(functools.partial(fn, **o), log_prob if fn.__name__ == 'normal' else None, lambda d: scale**2)
  make.__signature__ = inspect.Signature(names)
  make.__annotations__ = {p.name: type(p.default) for p in names}
  make.__qualname__ = fn.__name__
  return make

PRIORS = {k: _temp(v) for k, v in PRIORS.items()}
