"""Images along the principal axes of the codes."""
from collections.abc import Iterator
from typing import Annotated

import numpy as np

from swae_jax import options
from swae_jax.evals import base, pictures


def run(view: base.View, *, modes: options.Count = 10,
        steps: Annotated[int, options.Range(2, 100)] = 7,
        extent: options.Positive = 3.) -> Iterator[base.Picture]:
  """Decodes the mean test code, moved along principal axes of the codes.

  Figure 5 of Kolouri et al. 2019: a row for each axis, the axis of greatest
  variance first, from -extent to extent standard deviations of the codes.
  Yields nothing for data that are not images, or codes that are not finite.
  """
  images = view.data.test.images
  if not base.is_image(images.shape[1:]):
    return
  z = view.encode(images).astype(np.float64)
  if not np.isfinite(z).all():
    return
  moves, shares = _principal(z, modes)
  t = np.linspace(-extent, extent, steps)
  path = z.mean(0) + t[None, :, None] * moves[:, None]
  x = view.decode(path.reshape(-1, z.shape[1]).astype(np.float32))
  yield base.Picture('pca_modes', pictures.labelled(
      'The mean code, moved along the principal axes of the codes, decoded',
      [[pictures.Row(row, f'axis {i}', f'{share:.0%} of variance')
        for i, (row, share) in enumerate(zip(
            np.split(x, len(moves)), shares, strict=True), 1)]],
      feet=[f'{value:.2g}' for value in t],
      foot='standard deviations of the codes from the mean'))


def _principal(z, modes):
  """The first principal axes of codes z [N, D].

  Returns:
    The axes [M, D], each as long as the standard deviation of the codes along
    it and with a positive largest component, and their shares of the variance
    [M]; M is `modes`, N or D, whichever is least.
  """
  from sklearn import decomposition  # Takes a second.
  pca = decomposition.PCA(min(modes, *z.shape), svd_solver='full')
  with np.errstate(invalid='ignore', divide='ignore'):
    pca.fit(z)  # Divides by the variance, 0 if all codes are equal.
  stds = pca.singular_values_ / np.sqrt(len(z))
  return (pca.components_ * stds[:, None],
          np.nan_to_num(pca.explained_variance_ratio_))
