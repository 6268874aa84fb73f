"""Reconstruction of noisy images."""
import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, pictures, reconstruction

SEED = 0


def run(view, *, stds=(.3,), rows=4, columns=8):
  """Squared error between D(E(x + n)) and the clean test image x.

  Section 3.4 of the symmetric SWAE paper, whose std is .3: n is normal and the
  noisy image is not clipped, as the paper and its released code have it.  The
  error of x + n itself stands beside it, both summed over an image; the picture
  has triples, from the top: clean, noisy (clipped to be shown), denoised.  All
  stds scale the same noise.  Nothing for data that are no images.
  """
  images = view.data.test.images
  if not base.is_image(images.shape[1:]):
    return
  if not all(std > 0 for std in stds):
    raise errors.UserError(f'denoising: stds must be positive, found {stds}')
  for std in stds:
    yield from _metrics(view, images, std)
    yield base.Picture(f'denoising_std{std:g}', pictures.tile(
        _triples(view, images[:rows * columns], std), columns))


def _noisy(images, start, std):
  """Clean and noisy images, the noise that of place `start`.  [N, H, W, C]."""
  rng = np.random.default_rng((SEED, start))
  x = data_base.to_float(images)
  return x, x + np.float32(std) * rng.standard_normal(x.shape, np.float32)


def _metrics(view, images, std):
  """Both errors, means over the images."""
  totals = np.zeros(2)
  for start in range(0, len(images), reconstruction.CHUNK):
    x, noisy = _noisy(images[start:start + reconstruction.CHUNK], start, std)
    both = view.decode(view.encode(noisy)), noisy
    totals += [reconstruction.squared_error(x, y).sum() for y in both]
  for name, total in zip(('denoising', 'noisy'), totals, strict=True):
    yield base.Metric(f'{name}_error_std{std:g}', float(total / len(images)),
                      len(images))


def _triples(view, images, std):
  """Clean, noisy and denoised, one below the other.  [N, 3 H + 2, W, C]."""
  x, noisy = _noisy(images, 0, std)
  line = np.full_like(x[:, :1], .5)  # Tells them apart where they touch.
  return np.concatenate(
      [x, line, noisy, line, view.decode(view.encode(noisy))], axis=1)
