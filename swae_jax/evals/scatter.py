"""Scatter pictures of points with classes."""
import matplotlib
from matplotlib import figure
from matplotlib.backends import backend_agg
import numpy as np

MARKERS = 'o^sD'  # Ten colours each: more could not be told apart.
CLASSES = 10 * len(MARKERS)


def new(width, height):
  """An empty figure of so many pixels, bound to no screen."""
  fig = figure.Figure((width / 100, height / 100), dpi=100,
                      layout='constrained')
  fig.get_layout_engine().set(w_pad=.1, h_pad=.1)  # Inches.
  backend_agg.FigureCanvasAgg(fig)
  return fig


def by_class(axes, points, labels, classes):
  """Draws points [N, 2], each class with a colour and a marker of its own.

  Beyond 40 classes these come again.
  """
  size = np.clip(6000 / max(1, len(points)), 10, 30)
  for c in range(classes):
    axes.scatter(
        *points[labels == c].T, s=size, linewidths=0, label=str(c),
        color=matplotlib.colormaps['tab10'](c % 10),
        marker=MARKERS[c // 10 % len(MARKERS)])
  axes.grid(alpha=.3)


def legend(fig, axes, classes):
  """Names the classes on the right, where they can be told apart."""
  if 1 < classes <= CLASSES:
    fig.legend(*axes.get_legend_handles_labels(), frameon=False,
               loc='outside right center', markerscale=1.6,
               ncols=-(-classes // 20))


def pixels(fig):
  """The figure as uint8 [H, W, 3]."""
  fig.canvas.draw()
  return np.asarray(fig.canvas.buffer_rgba())[..., :3].copy()


def limits(z):
  """Corners of the square that holds all finite points, with a margin."""
  z = z[np.isfinite(z).all(1)]
  if len(z) == 0:
    return np.full(2, -1.), np.full(2, 1.)
  low, high = z.min(0), z.max(0)
  half = max(.53 * np.max(high - low), 1e-3)
  return (low + high) / 2 - half, (low + high) / 2 + half
