"""Pictures of samples and of reconstructions."""
import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base

WIDTH = 640  # Pixels, about: tiny images are enlarged to fill it.


def samples(view, *, rows=8, columns=8):
  """Decoded samples of the prior."""
  if base.is_image(view.data.test.images.shape[1:]):
    x = view.decode(view.sample(rows * columns))
    yield base.Picture('samples', tile(x, columns))


def reconstructions(view, *, rows=4, columns=8):
  """The first test images, each with its reconstruction right below."""
  images = view.data.test.images[:rows * columns]
  if base.is_image(images.shape[1:]):
    x = data_base.to_float(images)
    line = np.full_like(x[:, :1], .5)  # Tells the two apart where they touch.
    x_rec = view.decode(view.encode(images))
    pairs = np.concatenate([x, line, x_rec], axis=1)
    yield base.Picture('reconstructions', tile(pairs, columns))


def tile(images, columns, gap=4):
  """Images float [N, H, W, 1 or 3] in rows of `columns`, as one uint8 image.

  Values are clipped to [0, 1].  Tiny images are enlarged by a whole factor.
  `gap` pixels of white lie between the images, and white fills the last row.
  """
  if len(images) < 1 or columns < 1:
    raise errors.UserError(f'no picture of {len(images)} images in {columns} '
                           'columns: ask for at least one row and column')
  n, h, w, c = images.shape
  rows = -(-n // columns)
  factor = max(1, WIDTH // (columns * w))
  h, w = factor * h, factor * w
  pixels = np.rint(np.clip(np.nan_to_num(images), 0, 1) * 255)
  cells = np.full((rows * columns, h + gap, w + gap, c), 255, np.uint8)
  cells[:n, :h, :w] = pixels.repeat(factor, 1).repeat(factor, 2)
  grid = cells.reshape(rows, columns, h + gap, w + gap, c).swapaxes(1, 2)
  grid = grid.reshape(rows * (h + gap), columns * (w + gap), c)
  grid = grid[:rows * (h + gap) - gap, :columns * (w + gap) - gap]
  return grid[..., 0] if c == 1 else grid
