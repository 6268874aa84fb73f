import types

import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, interpolation, pictures


def make(images, decode):
  split = data_base.Split(images, np.zeros(len(images), np.int32))
  return base.View(lambda x: data_base.to_float(x).reshape(len(x), -1), decode,
                   None, types.SimpleNamespace(test=split))


def image(view, **options):
  (got,) = interpolation.run(view, **options)
  assert got.name == 'interpolation'
  return got.image


@pytest.fixture(autouse=True)
def small(monkeypatch):
  monkeypatch.setattr(pictures, 'WIDTH', 1)


def test_codes_go_straight_from_one_image_to_the_next():
  images = np.uint8([[10, 0], [40, 60], [100, 7], [70, 7], [0, 0]])
  view = make(images.reshape(5, 2, 1, 1),
              lambda z: z.reshape(-1, 2, 1, 1) + np.float32(1 / 255))
  got = image(view, rows=9, steps=4)
  # One pixel wide, two high, and four between them.
  assert got[0::6, ::5].tolist() == [[10, 11, 21, 31, 41, 40],
                                     [100, 101, 91, 81, 71, 70]]
  assert got[1::6, ::5].tolist() == [[0, 1, 21, 41, 61, 60],
                                     [7, 8, 8, 8, 8, 7]]


def test_number_of_rows_and_colours():
  images = np.zeros((20, 2, 2, 3), np.uint8)
  view = make(images, lambda z: z.reshape(-1, 2, 2, 3))
  assert image(view, rows=3, steps=2).shape == (
      3 * 2 + 2 * 4, 4 * 2 + 3 * 4, 3)


@pytest.mark.parametrize('shape', [(1, 2, 2, 1), (8, 1, 1, 3)])
def test_nothing_for_one_image_or_points(shape):
  assert list(interpolation.run(make(np.zeros(shape, np.uint8), None))) == []


@pytest.mark.parametrize('options', [{'rows': 0}, {'steps': 1}])
def test_too_few_are_refused(options):
  view = make(np.zeros((4, 2, 2, 1), np.uint8), None)
  with pytest.raises(errors.UserError, match='at least 1 row and 2 steps'):
    list(interpolation.run(view, **options))
