"""Nearest-neighbour accuracy of the codes."""
import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base


def run(view, *, k=(1, 3, 5, 10)):
  """Accuracy on the test codes of the majority of the k nearest train codes.

  Euclidean distance; mean codes on both sides, training images drawn once
  where they are binary.  Among classes with equal votes the smallest wins.
  """
  data = view.data
  if data.classes < 2:
    return
  if not k or not 1 <= min(k) <= max(k) <= len(data.train.labels):
    raise errors.UserError(f'knn: k must lie in 1..{len(data.train.labels)}, '
                           f'the number of training examples, found {k}')
  train = view.encode(data_base.fixed_train(data))
  test = view.encode(data.test.images)
  n = len(test)
  if not (np.isfinite(train).all() and np.isfinite(test).all()):
    yield from (base.Metric(f'knn{i}_accuracy', np.nan, n) for i in k)
    return
  from sklearn import neighbors  # Takes a second: only when asked for.
  # One search serves every k: the neighbours come nearest first.
  search = neighbors.NearestNeighbors(n_neighbors=max(k)).fit(train)
  nearest = data.train.labels[search.kneighbors(test, return_distance=False)]
  for i in k:
    votes = np.stack([(nearest[:, :i] == c).sum(1)
                      for c in range(data.classes)], 1)
    accuracy = np.mean(votes.argmax(1) == data.test.labels)
    yield base.Metric(f'knn{i}_accuracy', float(accuracy), n)
