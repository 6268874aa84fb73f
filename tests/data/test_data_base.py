import hashlib
import pathlib
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import data, errors, options
from swae_jax.data import base


def dataset(**changes):
  rng = np.random.default_rng(0)
  parts = [base.Split(rng.integers(256, size=(n, 3, 2, 1), dtype=np.uint8),
                      rng.integers(4, size=n, dtype=np.int32))
           for n in (7, 4, 5)]
  return base.Dataset('toy', *parts, binarize=False, bounded=True, classes=4,
                      provenance={})._replace(**changes)


def with_test(**changes):
  return lambda d: d._replace(test=d.test._replace(**changes))


@pytest.mark.parametrize('module', [np, jnp])
def test_to_float_reaches_zero_and_one_and_leaves_floats(module):
  x = base.to_float(module.asarray([0, 51, 255], np.uint8))
  assert x.dtype == np.float32
  # XLA multiplies by the reciprocal, but the ends are exact.
  assert x[0] == 0 and x[2] == 1
  np.testing.assert_allclose(x[1], .2, rtol=1e-6)
  points = module.asarray([-3, 7], np.float32)
  assert base.to_float(points) is points


def test_to_uint8_rounds_clips_and_undoes_to_float():
  x = np.array([np.nan, -np.inf, -1, .4 / 255, .6 / 255, 1, 2, np.inf])
  assert base.to_uint8(x).tolist() == [0, 0, 0, 0, 1, 255, 255, 255]
  levels = np.arange(256, dtype=np.uint8)
  np.testing.assert_array_equal(base.to_uint8(base.to_float(levels)), levels)


@pytest.mark.parametrize('value', [0, 1, 100, 254, 255])
def test_binarized_has_the_grey_value_as_its_mean(value):
  n = 100_000
  x = base.binarized(np.full((n, 1), value, np.uint8), 3)
  assert x.dtype == np.uint8 and set(np.unique(x)) <= {0, 255}
  p = value / 255
  # Exact at black and white; otherwise within five standard errors.
  assert abs((x == 255).mean() - p) <= 5 * np.sqrt(p * (1 - p) / n)


def test_binarized_draws_pixels_independently_of_their_neighbours():
  x = base.binarized(np.full((20_000, 2), 128, np.uint8), 0) == 255
  assert abs(np.corrcoef(x.T)[0, 1]) < .04


def test_the_stream_is_the_one_of_published_scores():
  # NumPy does not promise the streams of Generator across versions.
  grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
  drawn = b''.join(base.binarized(grey, seed).tobytes()
                   for seed in base.BINARIZE_SEEDS.values())
  assert hashlib.sha256(drawn).hexdigest() == (
      '204ba00f72ab8e61cc2fc58143897af95d4996e2dbc849dd8b2166b8c3e810ad')


def test_binarize_draws_valid_and_test_once_and_leaves_train():
  grey = dataset()
  once, again = base.binarize(grey), base.binarize(grey)
  assert once.binarize and base.check(once)
  np.testing.assert_array_equal(once.train.images, grey.train.images)
  for split in ('valid', 'test'):
    drawn = getattr(once, split)
    assert set(np.unique(drawn.images)) == {0, 255}
    np.testing.assert_array_equal(drawn.images, getattr(again, split).images)
    np.testing.assert_array_equal(drawn.labels, getattr(grey, split).labels)


def test_splits_have_streams_of_their_own():
  grey = np.full((1, 8, 8, 1), 128, np.uint8)
  split = base.Split(grey, np.zeros(1, np.int32))
  d = base.binarize(dataset(train=split, valid=split, test=split))
  draws = [base.fixed_train(d), d.valid.images, d.test.images]
  assert len({x.tobytes() for x in draws}) == 3


def test_fixed_train_is_drawn_once_only_where_binary():
  grey = dataset()
  assert base.fixed_train(grey) is grey.train.images
  binary = base.binarize(grey)
  x = base.fixed_train(binary)
  assert set(np.unique(x)) == {0, 255}
  np.testing.assert_array_equal(x, base.fixed_train(binary))


def test_fingerprint_sees_every_array_and_nothing_else():
  d = dataset()
  same = d._replace(name='other', train=d.train._replace(
      images=np.asfortranarray(d.train.images)))
  assert base.fingerprint(d) == base.fingerprint(same)
  assert len(base.fingerprint(d)['sha256']) == 64
  changed = [with_test(images=d.test.images.reshape(5, 2, 3, 1))(d),
             with_test(labels=d.test.labels.astype(np.uint32))(d)]
  for split in ('train', 'valid', 'test'):
    for field in ('images', 'labels'):
      part = getattr(d, split)
      array = getattr(part, field).copy()
      array.flat[-1] ^= 1
      changed.append(d._replace(**{split: part._replace(**{field: array})}))
  prints = {base.fingerprint(x)['sha256'] for x in [d, *changed]}
  assert len(prints) == 1 + len(changed)


def test_check_returns_what_is_right():
  d = dataset()
  assert base.check(d) is d


@pytest.mark.parametrize('fault, words', [
    (with_test(images=np.zeros((5, 3, 2), np.uint8)), r'\[N, H, W, C\]'),
    (with_test(images=np.zeros((0, 3, 2, 1), np.uint8)), 'N > 0'),
    (with_test(images=np.zeros((5, 2, 3, 1), np.uint8)), 'those of train'),
    (with_test(images=np.zeros((5, 3, 2, 1))), 'found float64'),
    (with_test(labels=np.zeros(4, np.int32)), r'int32 \[5\], found'),
    (with_test(labels=np.zeros(5, np.int64)), 'int64'),
    (with_test(labels=np.full(5, 4, np.int32)), r'0\.\.3, found 4\.\.4'),
    (with_test(labels=np.full(5, -1, np.int32)), r'found -1\.\.-1'),
    (with_test(images=np.full((5, 3, 2, 1), 1.5, np.float32)), r'\[0, 1\]'),
    (with_test(images=np.full((5, 3, 2, 1), -.5, np.float32)), r'\[0, 1\]'),
    (with_test(images=np.full((5, 3, 2, 1), np.nan, np.float32)), 'finite'),
    (lambda d: with_test(images=d.test.images | 1)(d._replace(
        binarize=True, valid=base.binarize(d).valid)), 'must be binary'),
])
def test_check_names_the_fault(fault, words):
  with pytest.raises(errors.UserError, match=words) as e:
    base.check(fault(dataset()))
  assert str(e.value).startswith('data set toy, split test: ')
  assert '\n' not in str(e.value)


def test_check_refuses_floats_to_be_binarized():
  floats = base.Split(np.ones((2, 1, 1, 1), np.float32), np.zeros(2, np.int32))
  d = dataset(train=floats, valid=floats, test=floats, binarize=True)
  with pytest.raises(errors.UserError, match='split train: .* must be uint8'):
    base.check(d)


def test_unbounded_data_may_leave_the_unit_interval():
  floats = base.Split(np.full((2, 1, 1, 1), 9, np.float32),
                      np.zeros(2, np.int32))
  d = dataset(train=floats, valid=floats, test=floats, bounded=False)
  assert base.check(d) is d


@pytest.mark.parametrize('make', data.DATASETS.values())
def test_everything_that_a_set_takes_is_an_option(make):
  assert not options.needs(make)
  known = options.of(make)  # Refuses what has no type, range or default.
  assert options.check('config.data.x', known, {}) == {
      name: option.default for name, option in known.items()}


@pytest.mark.parametrize('name, option, value', [
    ('celeba', 'crop', 'close'), ('celeba', 'size', 0), ('folder', 'size', 0),
    ('folder', 'channels', 2), ('folder', 'crop', 'face'),
    ('folder', 'valid', 0.), ('folder', 'test', 1.), ('gmm', 'dim', 0),
    ('gmm', 'modes', 0), ('gmm', 'std', 0.), ('gmm', 'size', 9),
    ('swiss_roll', 'bins', 0), ('swiss_roll', 'size', 9)])
def test_impossible_options_are_refused_by_their_flag(name, option, value):
  with pytest.raises(errors.UserError, match=f'--data.{option}={value}: it'):
    options.check('data', options.of(data.DATASETS[name]), {option: value})


def test_data_needs_numpy_alone():
  code = ('import sys, swae_jax.data; from swae_jax.data import synthetic; '
          'synthetic.gmm(size=10); print(sorted({"jax", "flax", "tensorflow", '
          '"sklearn", "matplotlib"} & set(sys.modules)))')
  out = subprocess.run([sys.executable, '-c', code], text=True, check=True,
                       cwd=pathlib.Path(data.__file__).parents[2],
                       capture_output=True)
  assert out.stdout.strip() == '[]'
