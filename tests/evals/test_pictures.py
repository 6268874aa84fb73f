import types

import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, pictures


def make(images, decode):
  split = data_base.Split(images, np.zeros(len(images), np.int32))
  sample = lambda n: np.arange(n, dtype=np.float32)[:, None]
  return base.View(data_base.to_float, decode, sample,
                   types.SimpleNamespace(test=split))


@pytest.fixture(autouse=True)
def small(monkeypatch):
  """Nothing is enlarged, unless a test says so."""
  monkeypatch.setattr(pictures, 'WIDTH', 1)


def test_tile_puts_images_row_by_row():
  images = np.arange(5 * 2 * 3).reshape(5, 2, 3, 1) / 255
  got = pictures.tile(images, 2, gap=1)
  assert got.shape == (2 * 3 + 2, 2 * 3 + 1) and got.dtype == np.uint8
  want = np.full((8, 7), 255)
  for n in range(5):
    for i in range(2):
      for j in range(3):
        want[n // 2 * 3 + i, n % 2 * 4 + j] = n * 6 + i * 3 + j
  np.testing.assert_array_equal(got, want)


def test_tile_keeps_colours():
  red = np.zeros((3, 2, 2, 3), np.float32)
  red[..., 0] = 1
  got = pictures.tile(red, 3, gap=0)
  assert got.shape == (2, 6, 3)
  assert (got == [255, 0, 0]).all()


def test_tile_enlarges_by_a_whole_factor(monkeypatch):
  images = np.random.default_rng(0).random((4, 2, 2, 1))
  plain = pictures.tile(images, 2, gap=0)
  monkeypatch.setattr(pictures, 'WIDTH', 14)  # Four pixels wide: times three.
  np.testing.assert_array_equal(pictures.tile(images, 2, gap=0),
                                np.kron(plain, np.ones((3, 3))))
  assert pictures.tile(images, 2, gap=5).shape == (2 * 6 + 5, 2 * 6 + 5)


def test_tile_takes_any_value():
  values = np.float32([-1, .5, 2, np.nan, np.inf, -np.inf])
  got = pictures.tile(values.reshape(6, 1, 1, 1), 6, gap=0)
  assert got.tolist() == [[0, 128, 255, 0, 255, 0]]


@pytest.mark.parametrize('n, columns', [(0, 3), (3, 0)])
def test_an_empty_picture_is_refused(n, columns):
  with pytest.raises(errors.UserError, match='at least one row and column'):
    pictures.tile(np.zeros((n, 2, 2, 1)), columns)


def test_samples_are_decoded_codes_of_the_prior():
  decode = lambda z: np.tile(z[:, :, None, None] / 255, (1, 2, 2, 1))
  (got,) = pictures.samples(make(np.zeros((1, 2, 2, 1), np.uint8), decode),
                            rows=3, columns=2)
  assert got.name == 'samples'
  # Two pixels and four of the gap.
  assert got.image[::6, ::6].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_each_reconstruction_lies_below_its_original():
  images = np.arange(10, 17, dtype=np.uint8).reshape(7, 1, 1, 1)
  images = np.tile(images, (1, 2, 2, 1))
  view = make(images, lambda z: z + np.float32(100 / 255))
  (got,) = pictures.reconstructions(view, rows=2, columns=3)
  assert got.name == 'reconstructions'
  # A pair: two pixels, the line, two pixels; then four of the gap.
  assert got.image.shape == (2 * 5 + 4, 3 * 2 + 2 * 4)
  assert got.image[0::9, ::6].tolist() == [[10, 11, 12], [13, 14, 15]]
  assert got.image[2::9, ::6].tolist() == [[128] * 3] * 2
  assert got.image[3::9, ::6].tolist() == [[110, 111, 112], [113, 114, 115]]


def test_fewer_test_images_than_asked_for():
  view = make(np.zeros((2, 2, 2, 3), np.uint8), lambda z: z)
  (got,) = pictures.reconstructions(view)
  assert got.image.shape == (5, 8 * 2 + 7 * 4, 3)


@pytest.mark.parametrize('shape', [(1, 1, 3), (4, 4, 2)])
def test_what_is_no_image_has_no_picture(shape):
  view = make(np.zeros((3, *shape), np.float32), None)
  assert list(pictures.samples(view)) == []
  assert list(pictures.reconstructions(view)) == []
