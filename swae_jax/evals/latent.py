"""Pictures of a latent space of two dimensions."""
from collections.abc import Iterator
from typing import Annotated

import numpy as np

from swae_jax import options
from swae_jax.evals import base, pictures


def run(view: base.View, *, points: options.Count = 2000,
        side: Annotated[int, options.Range(2, 100)] = 25,
        extent: options.Positive = 1.) -> Iterator[base.Picture]:
  """Codes beside samples of the prior, and the decoded grid of the plane.

  The picture `latent` shows the first `points` test codes, as figure 7 of
  Kolouri et al. 2019 does.  `manifold` shows the images decoded from
  `side` x `side` codes of [-extent, extent]^2, as in their figure 3, if the
  data are images.

  Yields nothing if the codes do not have two dimensions.
  """
  test = view.data.test
  z = view.encode(test.images[:points])
  if z.shape[1] != 2:
    return
  z_prior = view.sample(len(z))
  yield base.Picture('latent', _scatter(z, test.labels[:points], z_prior,
                                        view.data.classes))
  if base.is_image(test.images.shape[1:]):
    x = view.decode(_grid(side, extent))
    yield base.Picture('manifold', _manifold(x, side, extent))


def _grid(side, extent):
  """Points [side^2, 2], row by row from the top: the second axis goes up."""
  axis = np.linspace(-extent, extent, side, dtype=np.float32)
  first, second = np.meshgrid(axis, axis[::-1])
  return np.stack([first.ravel(), second.ravel()], 1)


def _manifold(x, side, extent):
  """The picture of the decoded grid, with the values of the codes beside it."""
  ticks = [''] * side
  for i in (0, side // 2, side - 1) if side % 2 else (0, side - 1):
    ticks[i] = f'{extent * (2 * i / (side - 1) - 1):g}'
  return pictures.labelled(
      'Images decoded from a grid of codes', [
          [pictures.Row(row, tick and f'axis 2 = {tick}')
           for row, tick in zip(np.split(x, side), ticks[::-1], strict=True)]],
      feet=[tick and f'axis 1 = {tick}' for tick in ticks], gap=0)


def _scatter(z, labels, z_prior, classes):
  """Two panels with the same limits, uint8 [H, W, 3]."""
  from swae_jax.evals import scatter
  fig = scatter.new(1000, 500)
  codes, prior = fig.subplots(1, 2, sharex=True, sharey=True)
  scatter.by_class(codes, z, labels, classes)
  prior.scatter(*z_prior.T, s=6, color='0.2')
  prior.grid(alpha=.3)
  low, high = scatter.limits(np.concatenate([z, z_prior]))
  for panel, title in ((codes, 'Codes of test examples'),
                       (prior, 'Samples of the prior')):
    panel.set(title=title, xlim=(low[0], high[0]), ylim=(low[1], high[1]),
              aspect='equal', **scatter.AXES)
  scatter.legend(fig, codes, classes)
  return scatter.pixels(fig)
