"""Whether examples that are close are close in code, too."""
import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, pictures


def run(view, *, points=2000, queries=100, k=10, rows=4):
  """Distances from test examples among the data and among their mean codes.

  Of the first `points` test examples the first `queries` are compared with all
  others, by Euclidean distance in both spaces:

  distance_rank_correlation: Spearman's, mean over the queries; 1 where the code
    keeps the order of all distances, 0 where the codes do not differ.
  neighbour_overlap_k10: the share of the k nearest in data that are among the k
    nearest in code, mean over the queries.

  Pictures: of `rows` queries the k nearest, in data above and in code below,
  behind the query and below it its reconstruction; and where codes have two
  dimensions figure 1 of the symmetric SWAE paper, the codes of 100 examples by
  the order of their distance to one.
  """
  images = view.data.test.images[:points]
  if k < 1 or queries < 1 or rows < 1:
    raise errors.UserError(f'neighbours: queries={queries}, k={k}, rows={rows}'
                           ': each must be at least 1')
  if len(images) < max(3, k + 1):  # A query and k others.
    return
  x, z = data_base.to_float(images), view.encode(images)
  in_data, in_code = _distances(x, queries), _distances(z, queries)
  if np.isfinite(in_code).all():
    values = (_rank_correlation(in_data, in_code),
              _overlap(in_data, in_code, k))
  else:
    values = np.nan, np.nan
  for name, value in zip(('distance_rank_correlation',
                          f'neighbour_overlap_k{k}'), values, strict=True):
    yield base.Metric(name, float(value), len(in_data))
  if base.is_image(images.shape[1:]):
    yield base.Picture('neighbours', pictures.tile(
        _nearest(view, x, in_data[:rows], in_code[:rows], k), k + 1))
  if z.shape[1] == 2:
    yield base.Picture('distance_order', _ordered(z[:100], in_data[0, :99]))


def _distances(x, queries):
  """Squared, of the first examples to all but themselves.  [Q, N - 1]."""
  from scipy.spatial import distance  # Takes a second: only when asked for.
  x = x.reshape(len(x), -1)
  # By differences in float64: a matrix product would part the many ties of
  # binary data by its rounding.
  d2 = distance.cdist(x[:queries], x, 'sqeuclidean')
  others = ~np.eye(*d2.shape, dtype=bool)
  return d2[others].reshape(len(d2), -1)


def _rank_correlation(a, b):
  """Mean over rows of Spearman's correlation; ties share their mean rank."""
  from scipy import stats
  a, b = (stats.rankdata(d, axis=1) for d in (a, b))
  a, b = (r - r.mean(1, keepdims=True) for r in (a, b))
  scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
  return np.mean((a * b).sum(1) / np.where(scale == 0, 1, scale))


def _closest(distances, k):
  """Columns of the k least, nearest first.  [Q, N - 1] -> [Q, k]."""
  return np.argsort(distances, axis=1, kind='stable')[:, :k]


def _overlap(a, b, k):
  """Mean over rows of the share of the k nearest by `a` and by `b`."""
  a, b = _closest(a, k), _closest(b, k)
  return np.mean((a[:, :, None] == b[:, None, :]).any(2))


def _nearest(view, x, in_data, in_code, k):
  """Pairs of the picture, one above the other.  [Q (k + 1), 2 H + 1, W, C]."""
  x_rec = view.decode(view.encode(x[:len(in_data)]))
  line = np.full_like(x[:k + 1, :1], .5)  # Tells them apart where they touch.
  cells = []
  for i, rows in enumerate(zip(in_data, in_code, strict=True)):
    others = np.delete(x, i, axis=0)
    above, below = (
        np.concatenate([first[None], others[_closest(row[None], k)[0]]])
        for first, row in zip((x[i], x_rec[i]), rows, strict=True))
    cells.append(np.concatenate([above, line, below], axis=1))
  return np.concatenate(cells)


def _ordered(z, distances):
  """Codes of a query, the first, and of others by their order in data."""
  from swae_jax.evals import scatter
  order = distances.argsort(kind='stable').argsort(kind='stable')
  fig = scatter.new(620, 520)
  axes = fig.subplots()
  axes.scatter(*z[:1].T, s=160, marker='*', color='red', label='target')
  others = axes.scatter(*z[1:].T, s=16, c=order + 1, cmap='viridis')
  fig.colorbar(others, label='order of the distance to the target in data')
  axes.set_title('codes')
  axes.legend()
  axes.grid(alpha=.3)
  return scatter.pixels(fig)
