import numpy as np
import pytest

from swae_jax.evals import scatter, tsne
import views


def make(n=24, width=5, apart=20., lost=0):
  """Codes in a heap for each of 3 classes; the first `lost` are not finite."""
  rng = np.random.default_rng(0)
  labels = rng.permutation(np.arange(n, dtype=np.int32) % 3)
  images = rng.normal(size=(n, 1, 1, width))
  images[..., 0] += apart * labels[:, None, None]
  images[:lost] = np.nan
  data = views.dataset(images.astype(np.float32), classes=3)
  return views.view(data._replace(test=data.test._replace(labels=labels)),
                    views.flat)


@pytest.fixture
def points(monkeypatch):
  """Points and labels of the pictures, one pair for each."""
  seen, real = [], scatter.by_class
  monkeypatch.setattr(
      scatter, 'by_class', lambda axes, places, labels, classes: (
          seen.append((places, labels)), real(axes, places, labels, classes)))
  return seen


def test_heaps_of_codes_stay_together(points):
  (got,) = tsne.run(make(), perplexity=5.)
  assert got.name == 'tsne' and got.image.shape == (720, 820, 3)
  ((places, labels),) = points
  assert places.shape == (24, 2)
  d2 = ((places[:, None] - places[None]) ** 2).sum(2) + 1e9 * np.eye(24)
  np.testing.assert_array_equal(labels[d2.argmin(1)], labels)


def test_picture_is_the_same_each_time(points):
  for _ in range(2):
    list(tsne.run(make(12)))
  (first, _), (again, _) = points
  np.testing.assert_array_equal(first, again)


def test_first_points_that_are_finite(points):
  view = make(lost=3)
  list(tsne.run(view, points=9))
  ((places, labels),) = points
  assert len(places) == 6
  np.testing.assert_array_equal(labels, view.data.test.labels[3:9])


@pytest.mark.parametrize('options', [
    {'width': 2}, {'width': 1}, {'n': 3}, {'n': 10, 'lost': 7}])
def test_nothing_to_see(options):
  assert list(tsne.run(make(**options))) == []
