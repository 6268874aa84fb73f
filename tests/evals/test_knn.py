import numpy as np
import pytest

from swae_jax.evals import base, knn
import views


def make(n=40, m=25, classes=3, encode=views.flat, std=0.):
  """Labels unrelated to the images; with std > 0 an encoder that draws."""
  rng = np.random.default_rng(0)
  train, test = (views.split(views.random(size, (1, 2, 2), size))._replace(
      labels=rng.integers(classes, size=size, dtype=np.int32))
      for size in (n, m))
  data = views.dataset(test.images, classes=classes, train=train.images)
  view = views.view(data._replace(train=train, test=test), encode)

  def draw(x):
    z = encode(x)
    noise = np.random.default_rng(7).normal(size=z.shape)
    return z + np.float32(std) * np.float32(noise)

  return view._replace(draw=draw) if std else view


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


def test_codes_that_are_the_classes_are_told_without_fault():
  view = make(classes=2)
  by_label = {x.tobytes(): y for split in (view.data.train, view.data.test)
              for x, y in zip(split.images, split.labels, strict=True)}
  encode = lambda x: np.float32([[by_label[i.tobytes()]] for i in x])
  assert [m.value for m in knn.run(view._replace(encode=encode))] == [1.] * 4


def test_sampled_codes_are_named_so_and_drawn_with_a_noise_of_their_own():
  view = make(std=.5)
  train, test = view.data.train, view.data.test
  mean, sampled = knn.run(view, k=(3,))
  assert [mean] == list(knn.run(make(), k=(3,)))
  codes = view.draw(np.concatenate([train.images, test.images]))
  want = accuracy(codes[:40], train.labels, codes[40:], test.labels, 3)
  assert sampled == base.Metric('knn3_accuracy_sampled_code', want, 25)


def test_noise_tells_nothing_of_the_class():
  """Codes of noise alone: the same on both sides, it would pair the rows."""
  view = make(400, 400, 2, lambda x: np.zeros((len(x), 3)), std=.5)
  labels = view.data.train.labels
  data = view.data._replace(test=view.data.test._replace(labels=labels))
  (found,) = knn.run(view._replace(data=data), k=(1,), code='sample')
  assert .4 < found.value < .6


@pytest.mark.parametrize('code, want', [
    ('mean', ['knn1_accuracy']), ('sample', ['knn1_accuracy_sampled_code']),
    ('both', ['knn1_accuracy', 'knn1_accuracy_sampled_code'])])
def test_choice_of_codes(code, want):
  found = lambda view: [m.name for m in knn.run(view, k=(1,), code=code)]
  assert found(make(std=.5)) == want
  # A deterministic encoder has but one code.
  still = [name for name in want if name == 'knn1_accuracy']
  assert found(make()) == found(make(std=1e-9)) == still
