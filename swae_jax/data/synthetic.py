"""Points of known laws; no images: float32 [N, 1, 1, d]."""
import numpy as np

from swae_jax import errors
from swae_jax.data import base

SEED = 0


def gmm(*, dim=10, modes=5, std=.2, size=10000):
  """Mixture of Gaussians at (k, ..., k), k < modes; the label is the mode.

  The data of figure 1 of the symmetric SWAE paper.  `size` points to train
  with, and a tenth of it each for valid and test.
  """
  if dim < 1 or modes < 1 or std <= 0:
    raise errors.UserError('gmm: dim and modes must be at least 1 and std '
                           f'positive, found {dim}, {modes}, {std}')

  def draw(rng, n):
    labels = rng.integers(modes, size=n)
    noise = rng.standard_normal((n, dim))
    return labels[:, None] + std * noise, labels

  return _make('gmm', draw, size, modes)


def swiss_roll(*, size=10000, bins=10):
  """A rolled-up rectangle in R^3; the label is the bin along the spiral.

  The data of figure 7 of the sliced SWAE paper: a surface of two dimensions.
  The spiral has one and a half turns and ends at radius 1, the height is in
  [-1, 1].  `size` as in `gmm`; the bins have equal mass.
  """
  if bins < 1:
    raise errors.UserError(f'swiss_roll: bins must be at least 1, found {bins}')

  def draw(rng, n):
    u, height = rng.random(n), rng.uniform(-1, 1, n)
    angle = 1.5 * np.pi * (1 + 2 * u)
    radius = angle / (4.5 * np.pi)
    x = np.stack([radius * np.cos(angle), height, radius * np.sin(angle)], 1)
    return x, np.floor(bins * u)

  return _make('swiss_roll', draw, size, bins)


def _make(name, draw, size, classes):
  """Three splits from three streams of `draw`: rng, n -> x [n, d], labels."""
  if size < 10:
    raise errors.UserError(f'{name}: size must be at least 10, found {size}')

  def split(stream, n):
    x, labels = draw(np.random.default_rng((SEED, stream)), n)
    return base.Split(x.astype(np.float32)[:, None, None],
                      labels.astype(np.int32))

  return base.check(base.Dataset(
      name, split(0, size), split(1, size // 10), split(2, size // 10),
      binarize=False, bounded=False, classes=classes,
      provenance={'source': 'drawn', 'files': {},
                  'difference': f'drawn with seed {SEED}'}))
