"""Nearest-neighbour accuracy of the codes."""
import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base

CODES = {'mean': ('mean',), 'sample': ('sample',), 'both': ('mean', 'sample')}


def run(view, *, k=(1, 3, 5, 10), code='both'):
  """Accuracy on the test codes of the majority of the k nearest train codes.

  Euclidean distance; training images drawn once where they are binary.  Among
  classes with equal votes the smallest wins.  `code` is 'mean', 'sample' or
  'both': mean codes on both sides, as `knn5_accuracy`, or one draw of each, as
  `knn5_accuracy_sampled_code`, where the encoder is random.  Only scores of one
  kind compare: the noise of a draw costs a system whose code has many axes
  that it does not use.
  """
  data = view.data
  if data.classes < 2:
    return
  if not k or not 1 <= min(k) <= max(k) <= len(data.train.labels):
    raise errors.UserError(f'knn: k must lie in 1..{len(data.train.labels)}, '
                           f'the number of training examples, found {k}')
  if code not in CODES:
    raise errors.UserError(
        f'knn: code={code!r}: choose one of {", ".join(sorted(CODES))}')
  images = data_base.fixed_train(data), data.test.images
  if 'mean' in CODES[code]:
    yield from _metrics(*map(view.encode, images), data, k, '')
  if 'sample' in CODES[code] and _is_random(view):
    # In one call: in two both sides would be drawn with the same noise.
    codes = view.draw(np.concatenate(images))
    yield from _metrics(*np.split(codes, [len(images[0])]), data, k,
                        '_sampled_code')


def _is_random(view):
  """Whether the encoder draws its codes."""
  x = view.data.test.images[:2]
  # Compiled with a key and without, a code may differ by rounding.
  return view.draw is not None and not np.allclose(
      view.draw(x), view.encode(x), rtol=1e-4, atol=1e-6, equal_nan=True)


def _metrics(train, test, data, k, suffix):
  """Accuracy for each of `k` of the codes train [N, D] and test [M, D]."""
  n = len(test)
  if not (np.isfinite(train).all() and np.isfinite(test).all()):
    yield from (base.Metric(f'knn{i}_accuracy{suffix}', np.nan, n) for i in k)
    return
  from sklearn import neighbors  # Takes a second: only when asked for.
  # One search serves every k: the neighbours come nearest first.
  search = neighbors.NearestNeighbors(n_neighbors=max(k)).fit(train)
  nearest = data.train.labels[search.kneighbors(test, return_distance=False)]
  for i in k:
    votes = np.stack([(nearest[:, :i] == c).sum(1)
                      for c in range(data.classes)], 1)
    accuracy = np.mean(votes.argmax(1) == data.test.labels)
    yield base.Metric(f'knn{i}_accuracy{suffix}', float(accuracy), n)
