"""Images decoded from samples of the prior."""
from collections.abc import Iterator

import numpy as np

from swae_jax import options
from swae_jax.evals import base, pictures


def run(view: base.View, *, rows: options.Side = 8,
        columns: options.Side = 8) -> Iterator[base.Picture]:
  """Images decoded from codes drawn from the prior.

  Yields nothing for data that are not images.
  """
  if not base.is_image(view.data.test.images.shape[1:]):
    return
  x = view.decode(view.sample(rows * columns))
  yield base.Picture('samples', pictures.labelled(
      'Images decoded from codes drawn from the prior',
      [[pictures.Row(row) for row in np.split(x, rows)]]))
