"""Whether neighbours in the data are neighbours among the codes, too."""
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np

from swae_jax import options
from swae_jax.data import base as data_base
from swae_jax.evals import base, pictures


def run(view: base.View, *, points: Annotated[int, options.Range(3)] = 2000,
        queries: options.Count = 100, k: options.Count = 10,
        rows: options.Side = 4) -> Iterator[base.Metric | base.Picture]:
  """Compares the distances between test examples with those of their codes.

  The first `queries` test examples are compared with all others of the first
  `points`, by Euclidean distance of the data and of the mean codes.

  distance_rank_correlation: Spearman's correlation of the distances in data
    with the distances in code, mean over the queries: 1 if the codes keep the
    order of all distances, 0 if all codes are equal.
  neighbour_overlap_k10: the share of the k nearest in data that are among the k
    nearest in code, mean over the queries.

  The picture `neighbours` shows `rows` queries with their nearest examples.  If
  the codes have two dimensions, `distance_order` draws figure 1 of Sun and Guo
  2021: the codes of 100 examples, coloured by the order of their distances to
  one of them.

  Yields nothing if there are at most k test examples.
  """
  images = view.data.test.images[:points]
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
    yield base.Picture('neighbours', pictures.labelled(
        'Test images and their nearest neighbours, in data and in code',
        _groups(view, x, in_data[:rows], in_code[:rows], k),
        heads=[pictures.Head('query', 0, 0),
               pictures.Head('other test images, nearest first', 1, k)],
        apart=(1,)))
  if z.shape[1] == 2:
    yield base.Picture('distance_order', _ordered(z[:100], in_data[0, :99]))


def check(dataset: data_base.Dataset, chosen: Mapping[str, Any]) -> None:
  """Refuses more neighbours than there are points to choose them from."""
  del dataset
  k, points = chosen['k'], chosen['points']
  if k >= points:
    raise base.refused('neighbours.k', k, 'it must be below '
                       f'--config.evals.neighbours.points={points}')


def _distances(x, queries):
  """Squared distances of the first examples to all others.  [Q, N - 1]."""
  from scipy.spatial import distance  # Takes a second.
  x = x.reshape(len(x), -1)
  # Differences in float64: the rounding of a matrix product would break the
  # many ties of binary data.
  d2 = distance.cdist(x[:queries], x, 'sqeuclidean')
  others = ~np.eye(*d2.shape, dtype=bool)
  return d2[others].reshape(len(d2), -1)


def _rank_correlation(a, b):
  """Mean over the rows of Spearman's correlation; 0 for a constant row."""
  from scipy import stats  # Takes a second.

  def correlation(a, b):
    if np.ptp(a) == 0 or np.ptp(b) == 0:
      return 0.  # spearmanr warns, and returns NaN.
    found: Any = stats.spearmanr(a, b)
    return found.statistic

  return np.mean(list(map(correlation, a, b)))


def _closest(distances, k):
  """Columns of the k nearest, nearest first.  [Q, N - 1] -> [Q, k]."""
  return np.argsort(distances, axis=1, kind='stable')[:, :k]


def _overlap(a, b, k):
  """Mean share of the k nearest columns in a that are among the k in b."""
  a, b = _closest(a, k), _closest(b, k)
  return np.mean((a[:, :, None] == b[:, None, :]).any(2))


def _groups(view, x, in_data, in_code, k):
  """Two rows of the picture for each query: by data, and by code."""
  x_rec = view.decode(view.encode(x[:len(in_data)]))
  groups = []
  for i, pair in enumerate(zip(in_data, in_code, strict=True)):
    others = np.delete(x, i, axis=0)
    groups.append([
        pictures.Row(np.concatenate(
            [first[None], others[_closest(row[None], k)[0]]]), left, right)
        for first, row, left, right in zip(
            (x[i], x_rec[i]), pair, ('data', 'reconstruction'),
            ('nearest in data', 'nearest in code'), strict=True)])
  return groups


def _ordered(z, distances):
  """The picture of codes [N, 2]: first the query, then the others."""
  from swae_jax.evals import scatter
  order = distances.argsort(kind='stable').argsort(kind='stable')
  fig = scatter.new(620, 520)
  axes = fig.subplots()
  axes.scatter(*z[:1].T, s=160, marker='*', color='red', label='query')
  others = axes.scatter(*z[1:].T, s=16, c=order + 1, cmap='viridis')
  fig.colorbar(others, label='order of the distance to the query in data '
               '(1: nearest)')
  axes.set(title='Codes of a test example and of others', **scatter.AXES)
  axes.legend()
  axes.grid(alpha=.3)
  return scatter.pixels(fig)
