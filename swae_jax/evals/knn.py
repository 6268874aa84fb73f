"""Nearest-neighbour accuracy of the codes."""
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from swae_jax import options
from swae_jax.data import base as data_base
from swae_jax.evals import base


def run(view: base.View, *, k: tuple[options.Count, ...] = (1, 3, 5, 10),
        code: Literal['mean', 'sample', 'both'] = 'both'
        ) -> Iterator[base.Metric]:
  """Accuracy of a vote among the k nearest training codes of each test code.

  Distances are Euclidean.  If several classes have most votes, the smallest
  class wins.  Binary training images are drawn once.

  `code` chooses the codes on both sides.  'mean': mean codes, in metrics such
  as `knn5_accuracy`.  'sample': one draw of each code, in metrics such as
  `knn5_accuracy_sampled_code`, only if the encoder is random.  'both': both.
  Compare only metrics of one kind: noise lowers the accuracy of a system whose
  code has many axes that it does not use.

  Yields nothing for data without classes.
  """
  data = view.data
  if data.classes < 2:
    return
  train, test = data_base.fixed_train(data), data.test.images
  if code in ('mean', 'both'):
    yield from _metrics(view.encode(train), view.encode(test), data, k, '')
  if code in ('sample', 'both') and view.draw and _is_random(view):
    # One call for both sides: two calls would draw the same noise.
    z = view.draw(np.concatenate([train, test]))
    yield from _metrics(z[:len(train)], z[len(train):], data, k,
                        '_sampled_code')


def check(dataset: data_base.Dataset, chosen: Mapping[str, Any]) -> None:
  """Refuses more neighbours than there are training examples."""
  k, n = tuple(chosen['k']), len(dataset.train.labels)
  base.check_list('knn.k', k)
  if dataset.classes > 1 and max(k) > n:
    raise base.refused('knn.k', k, f'each number must be at most {n}, the '
                       'number of training examples; give smaller ones, or set '
                       '--config.evals.knn.run=False')


def _is_random(view):
  """Whether the encoder draws its codes."""
  x = view.data.test.images[:2]
  # `draw` and `encode` are two programs: equal codes may differ by rounding.
  return not np.allclose(view.draw(x), view.encode(x), rtol=1e-4, atol=1e-6,
                         equal_nan=True)


def _metrics(train, test, data, k, suffix):
  """Accuracy for each number in `k`; codes train [N, D] and test [M, D]."""
  n = len(test)
  if not (np.isfinite(train).all() and np.isfinite(test).all()):
    yield from (base.Metric(f'knn{i}_accuracy{suffix}', np.nan, n) for i in k)
    return
  from sklearn import neighbors  # Takes a second.
  # One search serves every k: the neighbours come nearest first.
  search = neighbors.NearestNeighbors(n_neighbors=max(k)).fit(train)
  nearest = data.train.labels[search.kneighbors(test, return_distance=False)]
  for i in k:
    votes = np.stack([(nearest[:, :i] == c).sum(1)
                      for c in range(data.classes)], 1)
    accuracy = np.mean(votes.argmax(1) == data.test.labels)
    yield base.Metric(f'knn{i}_accuracy{suffix}', float(accuracy), n)
