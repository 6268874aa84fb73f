"""Pictures of a latent space of two dimensions."""
import numpy as np

from swae_jax.evals import base, pictures


def run(view, *, points=2000, side=25, extent=1.):
  """Codes beside samples of the prior, and the decoded grid of the plane.

  As in figure 3 of the sliced SWAE paper: `side` x `side` points of
  [-extent, extent]^2, drawn where the data are images.  The scatter alone is
  the picture of its figure 7.
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
    yield base.Picture('manifold', pictures.tile(x, side, gap=0))


def _grid(side, extent):
  """Points [side^2, 2], row by row from the top: the second axis goes up."""
  axis = np.linspace(-extent, extent, side, dtype=np.float32)
  first, second = np.meshgrid(axis, axis[::-1])
  return np.stack([first.ravel(), second.ravel()], 1)


def _scatter(z, labels, z_prior, classes):
  """Two panels with the same limits, uint8 [H, W, 3]."""
  from swae_jax.evals import scatter
  fig = scatter.new(1000, 480)
  codes, prior = fig.subplots(1, 2, sharex=True, sharey=True)
  scatter.by_class(codes, z, labels, classes)
  prior.scatter(*z_prior.T, s=6, color='0.2')
  prior.grid(alpha=.3)
  codes.set_title('codes of test examples by class')
  prior.set_title('samples of the prior')
  low, high = scatter.limits(np.concatenate([z, z_prior]))
  for panel in (codes, prior):
    panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect='equal')
  scatter.legend(fig, codes, classes)
  return scatter.pixels(fig)
