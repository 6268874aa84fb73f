import types

import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, tsne

pytest.importorskip('sklearn')
pytest.importorskip('matplotlib')

from swae_jax.evals import scatter


def make(n=24, width=5, classes=3, apart=20., lost=0):
  """Codes in a heap for each class; the first `lost` are not finite."""
  rng = np.random.default_rng(0)
  labels = rng.permutation(np.arange(n, dtype=np.int32) % classes)
  images = rng.normal(size=(n, 1, 1, width))
  images[..., 0] += apart * labels[:, None, None]
  images[:lost] = np.nan
  split = data_base.Split(images.astype(np.float32), labels)
  return base.View(lambda x: x.reshape(len(x), -1), None, None,
                   types.SimpleNamespace(test=split, classes=classes))


@pytest.fixture
def drawn(monkeypatch):
  """What the pictures show: points and labels, one pair for each."""
  seen = []
  real = scatter.by_class

  def by_class(axes, points, labels, classes):
    seen.append((points, labels))
    return real(axes, points, labels, classes)

  monkeypatch.setattr(scatter, 'by_class', by_class)
  return seen


def test_heaps_of_codes_stay_together(drawn):
  (got,) = tsne.run(make(), perplexity=5.)
  assert got.name == 'tsne' and got.image.shape == (720, 820, 3)
  ((points, labels),) = drawn
  assert points.shape == (24, 2)
  d2 = ((points[:, None] - points[None]) ** 2).sum(2) + 1e9 * np.eye(24)
  np.testing.assert_array_equal(labels[d2.argmin(1)], labels)


def test_picture_is_the_same_each_time(drawn):
  for _ in range(2):
    list(tsne.run(make(12)))
  (first, _), (again, _) = drawn
  np.testing.assert_array_equal(first, again)


def test_first_points_that_are_finite(drawn):
  view = make(lost=3)
  list(tsne.run(view, points=9))
  ((points, labels),) = drawn
  assert len(points) == 6
  np.testing.assert_array_equal(labels, view.data.test.labels[3:9])


@pytest.mark.parametrize('options', [
    {'width': 2}, {'width': 1}, {'n': 3}, {'n': 10, 'lost': 7}])
def test_nothing_to_see(options):
  assert list(tsne.run(make(**options))) == []


def test_perplexity_must_be_positive():
  with pytest.raises(errors.UserError, match='perplexity=0'):
    list(tsne.run(make(), perplexity=0))
