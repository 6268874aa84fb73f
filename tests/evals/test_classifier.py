"""Distances in the features of a classifier of the data set."""
import numpy as np
import pytest

from swae_jax import data
from swae_jax.data import base as data_base
from swae_jax.evals import classifier
import views


@pytest.fixture(name='digits', scope='module')
def small_digits():
  return data.DATASETS['digits']()


def run(dataset, noise=0., **options):
  """Metrics of samples that are validation images with some noise."""
  x = data_base.to_float(dataset.valid.images)
  x = np.clip(x + noise * np.random.default_rng(0).normal(size=x.shape), 0, 1)
  sample = lambda n: np.resize(x.astype(np.float32), (n, *x.shape[1:]))
  return list(classifier.run(views.view(dataset, sample=sample), **options))


def test_names_accuracy_and_order(digits, tmp_path):
  options = {'epochs': 3, 'samples': 100, 'cache_dir': str(tmp_path)}
  found = run(digits, **options)
  names = [f'{name}_classifier_100' for name in (
      'fd', 'mmd', 'precision', 'recall', 'density', 'coverage', 'sliced')]
  assert [m.name for m in found] == [
      'classifier_accuracy', *names, *(f'{name}_floor' for name in names)]
  assert .8 < found[0].value < 1
  accuracy, worse, floor = run(digits, noise=.3, metrics=('fd',), **options)
  assert accuracy == found[0]  # The same classifier.
  assert worse.value > 1.5 * found[1].value
  assert floor == found[8]
  kept = [p.name for p in tmp_path.iterdir()]
  assert sum(name.startswith('classifier') for name in kept) == 1
  assert sum(name.startswith('features') for name in kept) == 2


def test_the_same_classifier_with_a_cache_and_without(digits, tmp_path):
  options = {'epochs': 1, 'samples': 50, 'metrics': ('fd',)}
  first = run(digits, **options)
  assert run(digits, **options) == first
  for _ in range(2):
    assert run(digits, cache_dir=str(tmp_path), **options) == first
