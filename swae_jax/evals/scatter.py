"""Pictures of points with classes."""
import matplotlib
from matplotlib import axes as axes_lib
from matplotlib import figure, layout_engine
from matplotlib.backends import backend_agg
import numpy as np

MARKERS = 'o^sD'  # Ten colours each: more could not be told apart.
CLASSES = 10 * len(MARKERS)
AXES = {'xlabel': 'code, axis 1', 'ylabel': 'code, axis 2'}


def new(width: int, height: int) -> figure.Figure:
  """An empty figure of width x height pixels, which needs no screen."""
  layout = layout_engine.ConstrainedLayoutEngine(w_pad=.1, h_pad=.1)  # Inches.
  return figure.Figure((width / 100, height / 100), dpi=100, layout=layout)


def by_class(axes: axes_lib.Axes, points: np.ndarray, labels: np.ndarray,
             classes: int) -> None:
  """Draws points [N, 2], each class with its own colour and marker.

  Beyond 40 classes, colours and markers repeat.
  """
  size = np.clip(6000 / max(1, len(points)), 10, 30)
  for c in range(classes):
    axes.scatter(
        *points[labels == c].T, s=size, linewidths=0, label=str(c),
        color=matplotlib.colormaps['tab10'](c % 10),
        marker=MARKERS[c // 10 % len(MARKERS)])
  axes.grid(alpha=.3)


def legend(fig: figure.Figure, axes: axes_lib.Axes, classes: int) -> None:
  """Names the classes on the right, if colours and markers tell them apart."""
  if 1 < classes <= CLASSES:
    fig.legend(*axes.get_legend_handles_labels(), title='class', frameon=False,
               loc='outside right center', markerscale=1.6,
               ncols=-(-classes // 20))


def pixels(fig: figure.Figure) -> np.ndarray:
  """The figure as uint8 [H, W, 3]."""
  canvas = backend_agg.FigureCanvasAgg(fig)
  canvas.draw()
  return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def limits(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Lower left and upper right corner of a square around all finite points."""
  z = z[np.isfinite(z).all(1)]
  if len(z) == 0:
    return np.full(2, -1.), np.full(2, 1.)
  low, high = z.min(0), z.max(0)
  half = max(.53 * np.max(high - low), 1e-3)
  return (low + high) / 2 - half, (low + high) / 2 + half
