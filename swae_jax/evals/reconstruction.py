"""Error and likeness of the reconstructions."""
from collections.abc import Iterator
from typing import Literal

import numpy as np

from swae_jax import options
from swae_jax.data import base as data_base
from swae_jax.evals import base, pictures, ssim

CHUNK = 1000  # Examples that are floats in memory at once.


def run(view: base.View, *,
        split: Literal['test', 'valid', 'train'] = 'test'
        ) -> Iterator[base.Metric]:
  """Squared error summed over an image, and SSIM; means over a split.

  The reconstruction is the decoder's output at the mean code, not rounded.  The
  evaluator compares the reconstruction with the input of the encoder.  For
  binary data the input is binary, and training images are drawn once.  SSIM
  needs images of at least 11x11 pixels.  The name of the metric ends with the
  split, unless the split is 'test'.
  """
  images = _images(view.data, split)
  measures = {'error': squared_error}
  if view.data.bounded and ssim.fits(images.shape[1:]):
    measures['ssim'] = ssim.ssim
  totals = dict.fromkeys(measures, 0.)
  for start in range(0, len(images), CHUNK):
    x = images[start:start + CHUNK]
    x_rec = view.decode(view.encode(x))
    for name, measure in measures.items():
      totals[name] += measure(data_base.to_float(x), x_rec).sum()
  suffix = '' if split == 'test' else f'_{split}'
  for name, total in totals.items():
    yield base.Metric(f'reconstruction_{name}{suffix}',
                      float(total / len(images)), len(images), split)


def show(view: base.View, *, rows: options.Side = 4,
         columns: options.Side = 8) -> Iterator[base.Picture]:
  """The first test images, each above its reconstruction.

  Yields nothing for data that are not images.
  """
  images = view.data.test.images[:rows * columns]
  if not base.is_image(images.shape[1:]):
    return
  yield base.Picture('reconstructions', pictures.labelled(
      'Test images and their reconstructions', pictures.grouped(
          columns, data=data_base.to_float(images),
          reconstruction=view.decode(view.encode(images)))))


def squared_error(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """||x - y||^2 of each image, in float64.  [N, H, W, C] -> [N]."""
  return np.sum(np.square(y - x, dtype=np.float64), axis=(1, 2, 3))


def _images(data, split):
  """The images of a split as the encoder sees them."""
  if split == 'train':
    return data_base.fixed_train(data)
  return getattr(data, split).images
