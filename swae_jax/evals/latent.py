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


def _limits(z):
  """Corners of the square that holds all finite points, with a margin."""
  z = z[np.isfinite(z).all(1)]
  if len(z) == 0:
    return np.full(2, -1.), np.full(2, 1.)
  low, high = z.min(0), z.max(0)
  half = max(.53 * np.max(high - low), 1e-3)
  return (low + high) / 2 - half, (low + high) / 2 + half


def _scatter(z, labels, z_prior, classes):
  """Two panels with the same limits, uint8 [H, W, 3]."""
  import matplotlib
  from matplotlib import figure
  from matplotlib.backends import backend_agg
  fig = figure.Figure(figsize=(10, 4.8), dpi=100, layout='constrained')
  canvas = backend_agg.FigureCanvasAgg(fig)
  codes, prior = fig.subplots(1, 2, sharex=True, sharey=True)
  cmap = matplotlib.colormaps['tab10' if classes <= 10 else 'turbo']
  colours = cmap(np.arange(classes) if classes <= 10
                 else np.linspace(0, 1, classes))
  for c in range(classes):
    codes.scatter(*z[labels == c].T, s=6, color=colours[c], label=str(c))
  prior.scatter(*z_prior.T, s=6, color='0.2')
  codes.set_title('codes of test examples by class')
  prior.set_title('samples of the prior')
  low, high = _limits(np.concatenate([z, z_prior]))
  for panel in (codes, prior):
    panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect='equal')
    panel.grid(alpha=.3)
  if classes <= 20:
    fig.legend(loc='outside right center', markerscale=2, frameon=False)
  canvas.draw()
  return np.asarray(canvas.buffer_rgba())[..., :3].copy()
