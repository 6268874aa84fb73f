"""Images on the way from one image to another."""
from collections.abc import Iterator
from typing import Annotated

import numpy as np

from swae_jax import options
from swae_jax.data import base as data_base
from swae_jax.evals import base, pictures


def run(view: base.View, *, rows: options.Side = 8,
        steps: Annotated[int, options.Range(2, 100)] = 8
        ) -> Iterator[base.Picture]:
  """Decoded codes on the straight line between the codes of two test images.

  Figure 5 of Kolouri et al. 2019.  A row starts and ends with two test images.
  Between them are `steps` decoded codes; the first and the last are the
  reconstructions of the two images.  The rows take the test images in order,
  two each.  Nothing for fewer than two images, or data that are not images.
  """
  images = view.data.test.images
  rows = min(rows, len(images) // 2)
  if not rows or not base.is_image(images.shape[1:]):
    return
  ends = images[:2 * rows]
  z, ends = view.encode(ends), data_base.to_float(ends)
  path = interpolate(z[0::2], z[1::2], steps)
  x = view.decode(path.reshape(rows * steps, -1))
  x = x.reshape(rows, steps, *images.shape[1:])
  x = np.concatenate([ends[0::2, None], x, ends[1::2, None]], axis=1)
  way = [f'{share:.0%}' for share in np.linspace(0, 1, steps)]
  yield base.Picture('interpolation', pictures.labelled(
      'From one test image to another', [[pictures.Row(row) for row in x]],
      heads=[pictures.Head('data', 0, 0),
             pictures.Head('decoded codes on the line between the codes of '
                           'both', 1, steps),
             pictures.Head('data', steps + 1, steps + 1)],
      feet=['', *way, ''], foot='share of the way (0% and 100% are the '
      'reconstructions)', apart=(1, steps + 1)))


def interpolate(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
  """Points on the straight lines from a to b, both included.

  a and b [N, D] -> [N, steps, D] of the same type.
  """
  t = np.linspace(0, 1, steps, dtype=a.dtype)[None, :, None]
  return (1 - t) * a[:, None] + t * b[:, None]
