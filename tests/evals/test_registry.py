"""Every evaluator: its options, its checks, and data that it cannot use."""
import typing

import numpy as np
import pytest

from swae_jax import errors, evals, options
from swae_jax.evals import base, classifier, fid
import views

OPTIONS = {f'{name}.{option}': found for name, evaluator in evals.EVALS.items()
           for option, found in options.of(evaluator.run).items()}
OFF = {'classifier.epochs': 0, 'denoising.stds': (.3, 0.), 'knn.k': (0,),
       'interpolation.steps': 1, 'latent_distance.points': 1,
       'likelihood.images': -1, 'pca_modes.steps': 1, 'tsne.perplexity': 0.}


def defaults(name, **changes):
  found = options.of(evals.EVALS[name].run)
  return {key: option.default for key, option in found.items()} | changes


def kind(option):
  """(type, range) of an option, of its items if it is a list."""
  if typing.get_origin(option.kind) is not tuple:
    return option.kind, option.range
  item, = typing.get_args(option.kind)[:1]
  hint, *notes = typing.get_args(item) if hasattr(
      item, '__metadata__') else (item,)
  return hint, notes[0] if notes else None


@pytest.mark.parametrize('option', OPTIONS)
def test_each_option_takes_its_default_and_refuses_what_means_nothing(option):
  found, (hint, limits) = OPTIONS[option], kind(OPTIONS[option])
  flag = f'config.evals.{option}'
  assert options.checked(flag, found, found.default) == found.default
  wrong = [object()]
  if hint in (int, float):
    assert limits is not None, 'a number without a range'
    wrong += [-1, np.nan, 'many']
    wrong += [limits.low if limits.open_low else limits.low - 1]
    if limits.low == 0 and not limits.open_low:
      module = evals.EVALS[option.partition('.')[0]].run
      assert '0 for all' in module.__doc__
  elif hint is not str:
    wrong += ['other', -1]
  listed = isinstance(found.default, tuple)
  for value in [(v,) for v in wrong] if listed else wrong:
    with pytest.raises(errors.UserError, match=f'--{flag}'):
      options.checked(flag, found, value)


@pytest.mark.parametrize('option', OFF)
def test_the_least_values_that_mean_something(option):
  with pytest.raises(errors.UserError, match=f'--config.evals.{option}'):
    options.checked(f'config.evals.{option}', OPTIONS[option], OFF[option])


def test_a_metric_that_can_be_chosen_is_computed():
  for metrics, run in ((classifier.METRICS, classifier.run),
                       (fid._metrics(64), fid.run)):
    default = options.of(run)['metrics'].default
    choices = typing.get_args(typing.get_args(
        options.of(run)['metrics'].kind)[0])
    assert set(metrics) == set(choices) == set(default)
  assert set(fid.RESIZES) == set(
      typing.get_args(options.of(fid.run)['resize'].kind))


DATA = views.dataset(views.random(8), train=views.random(40), classes=2)


@pytest.mark.parametrize('name, changes', [
    ('knn', {'k': (1, 40)}), ('neighbours', {'k': 9, 'points': 10}),
    ('denoising', {}), ('classifier', {'samples': 6}),
    ('classifier', {'samples': 2, 'metrics': ('fd', 'mmd', 'sliced')})])
def test_options_that_fit_the_data_pass(name, changes):
  evals.EVALS[name].check(DATA, defaults(name, **changes))


POINTS = views.dataset(np.zeros((40, 1, 1, 2), np.float32), classes=2)


@pytest.mark.parametrize('name, changes, data, words', [
    ('knn', {'k': (1, 41)}, DATA, r'knn.k=\(1, 41\): .* at most 40'),
    ('knn', {'k': ()}, DATA, r'knn.k=\(\): .* at least one'),
    ('neighbours', {'k': 10, 'points': 10}, DATA,
     'neighbours.k=10: .* below --config.evals.neighbours.points=10'),
    ('denoising', {'stds': ()}, DATA, r'denoising.stds=\(\)'),
    ('classifier', {'metrics': ()}, DATA, r'classifier.metrics=\(\)'),
    ('classifier', {'samples': 5}, DATA,
     'classifier.metrics=.* at least 6 images a side .* there are 5'),
    ('classifier', {}, views.dataset(views.random(5), classes=2),
     'at least 6 images .* toy has 5 test and 5 training images'),
    ('classifier', {}, DATA._replace(classes=1), 'no classes'),
    ('classifier', {}, POINTS, 'classifier.run=True: it compares images'),
    ('fid', {}, POINTS, 'fid.run=True: it compares images'),
    ('fid', {'samples': 2}, DATA, 'fid.metrics=.* at least 6'),
    ('fid', {'weights': 'nowhere.npz'}, DATA, 'no file nowhere.npz')])
def test_options_that_do_not_fit_the_data_are_one_line(
    name, changes, data, words):
  with pytest.raises(errors.UserError, match=words) as e:
    evals.EVALS[name].check(data, defaults(name, **changes))
  assert '\n' not in str(e.value)
  assert '--config.evals.' in str(e.value) or 'nowhere' in words


def test_data_without_classes_need_no_neighbours():
  one = views.dataset(views.random(3))
  evals.EVALS['knn'].check(one, defaults('knn'))


@pytest.mark.parametrize('shape', [(1, 1, 3), (4, 4, 2)])
@pytest.mark.parametrize('name', ['samples', 'reconstructions', 'denoising',
                                  'interpolation', 'pca_modes'])
def test_data_that_are_no_images_have_no_picture(name, shape):
  points = np.zeros((6, *shape), np.float32)
  assert list(evals.EVALS[name].run(views.view(points, decode=None))) == []


@pytest.mark.parametrize('name, metrics', [
    ('knn', ['knn1_accuracy', 'knn3_accuracy', 'knn5_accuracy',
             'knn10_accuracy']),
    ('linear_probe', ['linear_probe_accuracy']),
    ('neighbours', ['distance_rank_correlation', 'neighbour_overlap_k10'])])
def test_codes_that_are_not_finite_have_no_score(name, metrics):
  data = views.dataset(views.random(12, (1, 1, 4)), classes=2)
  broken = views.view(data, lambda x: np.full((len(x), 3), np.nan, np.float32))
  found = views.numbers(evals.EVALS[name].run(broken))
  assert list(found) == metrics and np.isnan(list(found.values())).all()


@pytest.mark.parametrize('name', ['knn', 'linear_probe'])
def test_data_of_one_class_have_no_accuracy(name):
  assert list(evals.EVALS[name].run(views.view(views.random(40)))) == []


@pytest.mark.parametrize('name', ['knn', 'linear_probe'])
def test_binary_training_images_are_drawn_once(name):
  seen = []
  data = views.dataset(views.random(25, seed=1), views.random(40), classes=3,
                       binarize=True)
  view = views.view(data, lambda x: seen.append(x) or views.flat(x))
  assert list(evals.EVALS[name].run(view)) == list(evals.EVALS[name].run(view))
  assert set(np.unique(seen[0])) == {0, 255}
  np.testing.assert_array_equal(seen[0], seen[2])
  assert seen[1] is data.test.images


@pytest.mark.parametrize('shape, answer', [
    ((8, 8, 1), True), ((8, 8, 3), True), ((1, 9, 1), True),
    ((1, 1, 10), False), ((1, 1, 1), False), ((1, 1, 3), False),
    ((8, 8, 2), False)])
def test_images_are_grey_or_rgb_and_more_than_a_pixel(shape, answer):
  assert base.is_image(shape) is answer
