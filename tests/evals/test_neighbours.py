import numpy as np
import pytest
from scipy import stats

from swae_jax.evals import base, neighbours
import views


def make(n=30, shape=(1, 1, 4), encode=None):
  rng = np.random.default_rng(0)
  images = rng.random((n, *shape), dtype=np.float32)
  # Part of the data and part noise: neither all is kept nor nothing.
  noise = rng.normal(size=(n, 3)).astype(np.float32)
  mixed = lambda x: x.reshape(len(x), -1)[:, :3] + .3 * noise[:len(x)]
  decode = lambda z: np.full((len(z), *shape), .5, np.float32)
  return views.view(images, encode or mixed, decode)


def numbers(view, **options):
  return views.numbers(neighbours.run(view, **options))


def by_loops(x, z, queries, k):
  """Spearman's correlation and the common neighbours of each query."""
  x, z = (np.float64(v).reshape(len(v), -1) for v in (x, z))
  correlations, shares = [], []
  for i in range(queries):
    others = [j for j in range(len(x)) if j != i]
    a, b = ([np.linalg.norm(v[i] - v[j]) for j in others] for v in (x, z))
    ranks = np.stack([stats.rankdata(np.round(d, 9)) for d in (a, b)])
    correlations.append(np.corrcoef(ranks)[0, 1])
    nearest = lambda d: {others[j] for j in np.argsort(d)[:k]}  # noqa: B023
    shares.append(len(nearest(a) & nearest(b)) / k)
  return np.mean(correlations), np.mean(shares)


@pytest.mark.parametrize('queries', [1, 8, 30])
def test_values_are_those_of_loops(queries):
  view = make()
  got = numbers(view, queries=queries, k=5)
  images = view.data.test.images
  correlation, share = by_loops(images, view.encode(images), queries, 5)
  assert got == pytest.approx({'distance_rank_correlation': correlation,
                               'neighbour_overlap_k5': share}, rel=1e-6)
  assert .1 < share < .9 and .1 < correlation < .95


def test_ties_share_their_rank():
  """Binary data: distances are a few whole numbers."""
  view = make(shape=(1, 1, 6))
  binary = (view.data.test.images > .5).astype(np.float32)
  view = view._replace(data=views.dataset(binary))
  want, _ = by_loops(binary, view.encode(binary), 30, 1)
  np.testing.assert_allclose(
      numbers(view, k=1)['distance_rank_correlation'], want, rtol=1e-6)


def test_a_code_that_keeps_distances_and_one_that_keeps_nothing():
  flat = lambda x: 7 * x.reshape(len(x), -1)[:, ::-1] + 100
  assert numbers(make(encode=flat)) == pytest.approx(
      {'distance_rank_correlation': 1., 'neighbour_overlap_k10': 1.})
  collapsed = lambda x: np.ones((len(x), 2), np.float32)
  assert numbers(make(encode=collapsed))['distance_rank_correlation'] == 0


def test_points_and_queries_are_as_many_as_asked_for():
  seen = []
  view = make(encode=lambda x: seen.append(len(x)) or x.reshape(len(x), -1))
  found = list(neighbours.run(view, points=12, queries=4, k=2))
  assert seen == [12] and {m.samples for m in found} == {4}
  assert [m.samples for m in neighbours.run(view, k=2)] == [30, 30]


def test_picture_has_the_nearest_in_data_above_those_in_code(drawn):
  # By data the order is that of the numbers, by code its reverse but for the
  # first.
  values = np.uint8([10, 20, 31, 43])
  images = np.tile(values[:, None, None, None], (1, 2, 1, 1))
  codes = dict(zip(values.tolist(), (0., 3., 2., 1.), strict=True))
  encode = lambda x: np.float32([
      [codes[round(float(v) * (255 if x.dtype == np.float32 else 1))]]
      for v in x[:, 0, 0, 0]])
  view = make(4, (2, 1, 1), encode)._replace(data=views.dataset(images))
  list(neighbours.run(view, k=3, rows=2))
  assert drawn[0].levels() == [[10, 20, 31, 43], [128, 43, 31, 20],
                               [20, 10, 31, 43], [128, 31, 43, 10]]
  assert drawn[0].labels == 2 * ['data', 'reconstruction']
  assert [row.right for row in drawn[0].rows] == 2 * [
      'nearest in data', 'nearest in code']
  assert drawn[0].rest['heads'][0] == ('query', 0, 0)


@pytest.mark.parametrize('shape, width, want', [
    ((2, 2, 1), 3, ['neighbours']), ((1, 1, 4), 3, []),
    ((1, 1, 4), 2, ['distance_order']),
    ((2, 2, 1), 2, ['neighbours', 'distance_order'])])
def test_pictures_that_make_sense(shape, width, want):
  encode = lambda x: x.reshape(len(x), -1)[:, :width]
  found = list(neighbours.run(make(shape=shape, encode=encode)))
  drawn = [p for p in found if isinstance(p, base.Picture)]
  assert [p.name for p in drawn] == want
  assert all(p.image.shape[2:] in ((), (3,)) for p in drawn)


def test_order_of_the_distances_is_drawn(monkeypatch):
  from matplotlib import axes
  drawn = []
  real = axes.Axes.scatter
  monkeypatch.setattr(axes.Axes, 'scatter', lambda self, x, y, **options: (
      drawn.append((x, y, options.get('c'))) or real(self, x, y, **options)))
  view = make(120, encode=lambda x: x.reshape(len(x), -1)[:, :2])
  assert list(neighbours.run(view))[-1].name == 'distance_order'
  (x0, y0, _), (x, y, order) = drawn
  images = np.float64(view.data.test.images[:100]).reshape(100, 4)
  np.testing.assert_allclose([x0, y0], images[:1, :2].T, rtol=1e-6)
  distances = ((images[1:] - images[0]) ** 2).sum(1)
  np.testing.assert_array_equal(order, stats.rankdata(distances))
  np.testing.assert_allclose(np.stack([x, y], 1), images[1:, :2], rtol=1e-6)


@pytest.mark.parametrize('n, k', [(10, 10), (2, 1), (1, 1)])
def test_nothing_for_too_few_examples(n, k):
  assert list(neighbours.run(make(n), k=k)) == []
  assert list(neighbours.run(make(max(3, n + 1)), k=k))
