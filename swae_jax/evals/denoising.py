"""Reconstruction of noisy images."""
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from swae_jax import options
from swae_jax.data import base as data_base
from swae_jax.evals import base, pictures, reconstruction

SEED = 0


def run(view: base.View, *, stds: tuple[options.Positive, ...] = (.3,),
        rows: options.Side = 4, columns: options.Side = 8
        ) -> Iterator[base.Metric | base.Picture]:
  """Squared error between D(E(x + n)) and the clean test image x.

  Sun and Guo 2021, section 3.4, with std .3: the noise n is normal, and the
  noisy image is not clipped, as in the paper and its released code.  A second
  metric gives the error of x + n itself.  Both errors are sums over an image.
  All stds scale the same noise.  A picture for each std shows the clean image,
  the noisy image (clipped) and its reconstruction.

  Yields nothing for data that are not images.
  """
  images = view.data.test.images
  if not base.is_image(images.shape[1:]):
    return
  for std in stds:
    yield from _metrics(view, images, std)
    x, noisy = _noisy(images[:rows * columns], 0, std)
    yield base.Picture(f'denoising_std{std:g}', pictures.labelled(
        f'Test images with noise of standard deviation {std:g}',
        pictures.grouped(columns, data=x, with_noise=noisy,
                         reconstruction=view.decode(view.encode(noisy)))))


def check(dataset: data_base.Dataset, chosen: Mapping[str, Any]) -> None:
  """Refuses an empty list of deviations."""
  del dataset
  base.check_list('denoising.stds', chosen['stds'])


def _noisy(images, start, std):
  """Clean and noisy images [N, H, W, C]; `start` chooses the noise."""
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
