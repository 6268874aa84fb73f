"""Images on the way from one to another."""
import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, pictures


def run(view, *, rows=8, steps=8):
  """Decoded codes on the straight line between those of two test images.

  Figure 5 of the sliced SWAE paper.  A row starts and ends with the two images
  themselves; `steps` decoded codes lie between, the first and last of which are
  their reconstructions.  Rows take the test images in order, two each.
  """
  images = view.data.test.images
  if steps < 2 or rows < 1:
    raise errors.UserError(f'interpolation: rows={rows}, steps={steps}: ask '
                           'for at least 1 row and 2 steps')
  rows = min(rows, len(images) // 2)
  if not rows or not base.is_image(images.shape[1:]):
    return
  ends = images[:2 * rows]
  z = view.encode(ends)
  t = np.linspace(0, 1, steps, dtype=z.dtype)[None, :, None]
  line = (1 - t) * z[0::2, None] + t * z[1::2, None]
  x = view.decode(line.reshape(rows * steps, -1))
  x = x.reshape(rows, steps, *images.shape[1:])
  ends = data_base.to_float(ends)
  x = np.concatenate([ends[0::2, None], x, ends[1::2, None]], axis=1)
  yield base.Picture('interpolation', pictures.tile(
      x.reshape(-1, *images.shape[1:]), steps + 2))
