"""Distances in the features of a classifier of the data set."""
import numpy as np
import pytest

from swae_jax import data, errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, classifier


def view(dataset, noise=0.):
  """Samples are validation images, noisy ones if asked for."""
  x = data_base.to_float(dataset.valid.images)
  x = np.clip(x + noise * np.random.default_rng(0).normal(size=x.shape), 0, 1)
  x = x.astype(np.float32)
  return base.View(data_base.to_float, lambda z: z,
                   lambda n: np.resize(x, (n, *x.shape[1:])), dataset)


@pytest.fixture(name='digits', scope='module')
def small_digits():
  return data.DATASETS['digits']()


def test_names_accuracy_and_order(digits, tmp_path):
  options = {'epochs': 3, 'samples': 100, 'cache_dir': str(tmp_path)}
  found = list(classifier.run(view(digits), **options))
  names = [f'{name}_classifier_100' for name in (
      'fd', 'mmd', 'precision', 'recall', 'density', 'coverage', 'sliced')]
  assert [m.name for m in found] == [
      'classifier_accuracy', *names, *(f'{name}_floor' for name in names)]
  assert not any('fid' in m.name or 'kid' in m.name for m in found)
  assert .8 < found[0].value < 1
  accuracy, worse, floor = classifier.run(
      view(digits, noise=.3), metrics=('fd',), **options)
  assert accuracy == found[0]  # The same classifier.
  assert worse.value > 1.5 * found[1].value
  assert floor == found[8]
  kept = [p.name for p in tmp_path.iterdir()]
  assert sum(name.startswith('classifier') for name in kept) == 1
  assert sum(name.startswith('features') for name in kept) == 2


def test_the_same_classifier_without_a_cache(digits, tmp_path):
  options = {'epochs': 1, 'samples': 50, 'metrics': ('fd',)}
  first, again = (list(classifier.run(view(digits), **options))
                  for _ in range(2))
  assert first == again
  cached = [list(classifier.run(view(digits), cache_dir=str(tmp_path),
                                **options)) for _ in range(2)]
  assert cached == [first, first]


def test_it_needs_classes(digits):
  with pytest.raises(errors.UserError, match='no classes'):
    list(classifier.run(view(digits._replace(classes=1))))
