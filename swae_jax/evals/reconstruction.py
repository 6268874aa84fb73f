"""Error and likeness of the reconstructions."""
import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, ssim

CHUNK = 1000  # Examples held as floats at once.


def run(view, *, split='test'):
  """Squared error summed over an image, and SSIM, means over a split.

  The target is what the encoder sees, so binary where the data are, with
  training images drawn once; the reconstruction is the decoder's output at the
  mean code, not rounded.  SSIM is of images of at least 11x11 pixels.  A split
  other than 'test', so 'valid' or 'train', is part of the name.
  """
  images = _images(view.data, split)
  names = {'error': squared_error}
  if view.data.bounded and ssim.fits(images.shape[1:]):
    names['ssim'] = ssim.ssim
  totals = dict.fromkeys(names, 0.)
  for start in range(0, len(images), CHUNK):
    x = images[start:start + CHUNK]
    x_rec = view.decode(view.encode(x))
    for name, of in names.items():
      totals[name] += of(data_base.to_float(x), x_rec).sum()
  suffix = '' if split == 'test' else f'_{split}'
  for name, total in totals.items():
    yield base.Metric(f'reconstruction_{name}{suffix}',
                      float(total / len(images)), len(images), split)


def squared_error(x, y):
  """||x - y||^2 of each image, float64.  2 of [N, H, W, C] -> [N]."""
  return np.sum(np.square(y - x, dtype=np.float64), axis=(1, 2, 3))


def _images(data, split):
  """What the encoder sees of a split."""
  if split not in ('train', 'valid', 'test'):
    raise errors.UserError(f'reconstruction: split={split!r}: choose one of '
                           'test, train, valid')
  if split == 'train':
    return data_base.fixed_train(data)
  return getattr(data, split).images
