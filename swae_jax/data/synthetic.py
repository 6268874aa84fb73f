"""Points of known laws instead of images: float32 [N, 1, 1, d]."""
from typing import Annotated

import numpy as np

from swae_jax import options
from swae_jax.data import base

SEED = 0
Size = Annotated[int, options.Range(10, 10**8)]


def gmm(*, dim: options.Count = 10, modes: options.Count = 5,
        std: options.Positive = .2, size: Size = 10000) -> base.Dataset:
  """Mixture of normal laws at (k, ..., k), k < modes; the label is the mode k.

  These points [N, 1, 1, dim] are the data of figure 1 of Sun & Guo 2021.

  Args:
    dim: number of axes of a point.
    modes: number of normal laws.
    std: standard deviation of each axis within a mode.
    size: number of training points; validation and test have a tenth of this
      number each.
  """
  def draw(rng, n):
    labels = rng.integers(modes, size=n)
    noise = rng.standard_normal((n, dim))
    return labels[:, None] + std * noise, labels

  return _make('gmm', draw, size, modes)


def swiss_roll(*, size: Size = 10000,
               bins: options.Count = 10) -> base.Dataset:
  """A rolled-up rectangle in R^3; the label is the bin along the spiral.

  These points [N, 1, 1, 3] are the data of figure 7 of Kolouri et al. 2018, a
  surface of two dimensions.  The spiral has one and a half turns and ends at
  radius 1; the height is in [-1, 1].

  Args:
    size: number of training points; validation and test have a tenth of this
      number each.
    bins: the number of labels; all bins have the same mass.
  """
  def draw(rng, n):
    u, height = rng.random(n), rng.uniform(-1, 1, n)
    angle = 1.5 * np.pi * (1 + 2 * u)
    radius = angle / (4.5 * np.pi)
    x = np.stack([radius * np.cos(angle), height, radius * np.sin(angle)], 1)
    return x, np.floor(bins * u)

  return _make('swiss_roll', draw, size, bins)


def _make(name, draw, size, classes):
  """Three splits from three streams of `draw`: rng, n -> x [n, d], labels."""
  def split(stream, n):
    x, labels = draw(np.random.default_rng((SEED, stream)), n)
    return base.Split(x.astype(np.float32)[:, None, None],
                      labels.astype(np.int32))

  return base.check(base.Dataset(
      name, split(0, size), split(1, size // 10), split(2, size // 10),
      binarize=False, bounded=False, classes=classes,
      provenance={'source': 'drawn', 'files': {},
                  'difference': f'drawn with seed {SEED}'}))
