import types

import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, knn

pytest.importorskip('sklearn')


def make(n=40, m=25, classes=3, binarize=False, encode=None):
  rng = np.random.default_rng(0)
  split = lambda size: data_base.Split(
      rng.integers(256, size=(size, 1, 2, 2), dtype=np.uint8),
      rng.integers(classes, size=size, dtype=np.int32))
  data = types.SimpleNamespace(train=split(n), test=split(m), classes=classes,
                               binarize=binarize)
  flat = lambda x: data_base.to_float(x).reshape(len(x), -1)
  return base.View(encode or flat, None, None, data)


def accuracy(train, labels, test, truth, k):
  """Two loops and a vote; the smallest class wins a tie."""
  right = 0
  for z, y in zip(np.float64(test), truth, strict=True):
    distances = [((z - other) ** 2).sum() for other in np.float64(train)]
    votes = labels[np.argsort(distances, kind='stable')[:k]].tolist()
    best = max(sorted(set(votes)), key=votes.count)
    right += best == y
  return right / len(truth)


def test_accuracy_is_that_of_two_loops():
  view = make()
  got = list(knn.run(view, k=(1, 2, 5, 40)))
  train, test = view.data.train, view.data.test
  for metric, k in zip(got, (1, 2, 5, 40), strict=True):
    want = accuracy(view.encode(train.images), train.labels,
                    view.encode(test.images), test.labels, k)
    assert metric == base.Metric(f'knn{k}_accuracy', want, 25)


def test_accuracy_is_that_of_scikit_learns_classifier():
  from sklearn import neighbors
  view = make(n=300, m=200, classes=5)
  train, test = view.data.train, view.data.test
  for metric, k in zip(knn.run(view), (1, 3, 5, 10), strict=True):
    classifier = neighbors.KNeighborsClassifier(k)
    classifier.fit(view.encode(train.images), train.labels)
    want = classifier.score(view.encode(test.images), test.labels)
    assert metric.value == pytest.approx(want, abs=1e-12)


def test_codes_of_one_class_apart_are_told_without_fault():
  view = make(classes=2)
  by_label = {x.tobytes(): y for split in (view.data.train, view.data.test)
              for x, y in zip(split.images, split.labels, strict=True)}
  encode = lambda x: np.float32([[by_label[i.tobytes()]] for i in x])
  assert [m.value for m in knn.run(view._replace(encode=encode))] == [1.] * 4


def test_binary_training_images_are_drawn_once():
  seen = []

  def encode(x):
    seen.append(x)
    return data_base.to_float(x).reshape(len(x), -1)

  view = make(binarize=True, encode=encode)
  assert list(knn.run(view)) == list(knn.run(view))
  np.testing.assert_array_equal(seen[0], data_base.fixed_train(view.data))
  assert set(np.unique(seen[0])) == {0, 255}
  assert seen[1] is view.data.test.images


def test_data_without_classes_have_no_accuracy():
  assert list(knn.run(make(classes=1))) == []


def test_codes_that_are_not_finite_have_no_accuracy():
  view = make(encode=lambda x: np.full((len(x), 2), np.nan, np.float32))
  assert all(np.isnan(m.value) for m in knn.run(view, k=(1, 3)))
  assert [m.name for m in knn.run(view, k=(1, 3))] == ['knn1_accuracy',
                                                       'knn3_accuracy']


def noisy(view, std=.5):
  """The view with an encoder that draws: one noise for each row of a call."""

  def draw(x):
    z = view.encode(x)
    noise = np.random.default_rng(7).normal(size=z.shape)
    return z + np.float32(std) * np.float32(noise)
  return view._replace(draw=draw)


def test_sampled_codes_are_named_so_and_drawn_with_a_noise_of_their_own():
  view = noisy(make())
  train, test = view.data.train, view.data.test
  mean, sampled = knn.run(view, k=(3,))
  assert [mean] == list(knn.run(make(), k=(3,)))
  codes = view.draw(np.concatenate([train.images, test.images]))
  want = accuracy(codes[:40], train.labels, codes[40:], test.labels, 3)
  assert sampled == base.Metric('knn3_accuracy_sampled_code', want, 25)


def test_noise_tells_nothing_of_the_class():
  """Codes of noise alone: the same on both sides, it would pair the rows."""
  view = make(n=400, m=400, classes=2, encode=lambda x: np.zeros((len(x), 3)))
  data = view.data
  data.test = data.test._replace(labels=data.train.labels)
  (found,) = knn.run(noisy(view), k=(1,), code='sample')
  assert .4 < found.value < .6


@pytest.mark.parametrize('code, want', [
    ('mean', ['knn1_accuracy']), ('sample', ['knn1_accuracy_sampled_code']),
    ('both', ['knn1_accuracy', 'knn1_accuracy_sampled_code'])])
def test_choice_of_codes(code, want):
  found = lambda view: [m.name for m in knn.run(view, k=(1,), code=code)]
  assert found(noisy(make())) == want
  # A deterministic encoder has but one code.
  still = [name for name in want if name == 'knn1_accuracy']
  assert found(make()) == found(noisy(make(), std=0)) == still


def test_unknown_code_is_refused():
  with pytest.raises(errors.UserError, match="code='median': choose one of"):
    list(knn.run(make(), code='median'))


@pytest.mark.parametrize('k', [(0,), (1, 41), ()])
def test_impossible_k_is_refused(k):
  with pytest.raises(errors.UserError, match=r'knn: k must lie in 1\.\.40'):
    list(knn.run(make(), k=k))
