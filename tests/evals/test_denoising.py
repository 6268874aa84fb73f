import types

import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, denoising, pictures, reconstruction


def make(n=7, shape=(5, 4, 1), decode=lambda z: z):
  images = np.random.default_rng(0).integers(256, size=(n, *shape),
                                             dtype=np.uint8)
  split = data_base.Split(images, np.zeros(n, np.int32))
  return base.View(data_base.to_float, decode, None,
                   types.SimpleNamespace(test=split))


def numbers(view, **options):
  return [m for m in denoising.run(view, **options)
          if isinstance(m, base.Metric)]


def test_names_and_samples():
  found = list(denoising.run(make(), stds=(.1, .5)))
  assert [f.name for f in found] == [
      'denoising_error_std0.1', 'noisy_error_std0.1', 'denoising_std0.1',
      'denoising_error_std0.5', 'noisy_error_std0.5', 'denoising_std0.5']
  assert {m.samples for m in numbers(make())} == {7}


@pytest.mark.parametrize('chunk', [2, 100])
def test_errors_are_those_of_a_loop_over_what_was_encoded(chunk, monkeypatch):
  monkeypatch.setattr(reconstruction, 'CHUNK', chunk)
  seen = []
  view = make(decode=lambda z: z / 2)
  encode = lambda x: seen.append(x) or x
  denoised, noisy = numbers(view._replace(encode=encode))
  inputs = np.float64(np.concatenate(seen[:-1]))  # The last is the picture's.
  clean = view.data.test.images / 255
  assert inputs.shape == clean.shape
  error = lambda y: sum(((a - b) ** 2).sum() for a, b in zip(
      clean, y, strict=True)) / len(clean)
  np.testing.assert_allclose(denoised.value, error(inputs / 2), rtol=1e-5)
  np.testing.assert_allclose(noisy.value, error(inputs), rtol=1e-4)


def test_noise_has_the_std_and_is_not_clipped():
  """E |n|^2 = H W C std^2, which clipping to [0, 1] would more than halve."""
  view = make(n=200, shape=(8, 8, 3))
  for std in (.3, 2.):
    same, noisy = numbers(view, stds=(std,))
    np.testing.assert_allclose(noisy.value, 192 * std**2, rtol=.03)
    np.testing.assert_allclose(same.value, noisy.value, rtol=1e-6)


def test_noise_is_float32_and_fixed_and_new_in_each_chunk(monkeypatch):
  monkeypatch.setattr(reconstruction, 'CHUNK', 3)
  seen = []
  view = make(n=6)
  encode = lambda x: seen.append(x) or x
  for _ in range(2):
    numbers(view._replace(encode=encode), stds=(.2, .4))
  first, second, *_ = seen
  assert first.dtype == np.float32
  for a, b in zip(seen[:len(seen) // 2], seen[len(seen) // 2:], strict=True):
    np.testing.assert_array_equal(a, b)
  x = data_base.to_float(view.data.test.images)
  assert not np.isclose(first - x[:3], second - x[3:]).any()
  np.testing.assert_allclose(2 * (first - x[:3]), seen[3] - x[:3], atol=1e-6)


def test_picture_has_clean_noisy_and_denoised_from_the_top(monkeypatch):
  monkeypatch.setattr(pictures, 'WIDTH', 1)
  view = make(n=3, shape=(2, 2, 1), decode=lambda z: np.full_like(z, 100 / 255))
  *_, got = denoising.run(view, rows=1, columns=3)
  images = view.data.test.images[..., 0]
  assert got.image.shape == (3 * 2 + 2, 3 * 2 + 2 * 4)
  for i in range(3):
    cell = got.image[:, 6 * i:6 * i + 2]
    np.testing.assert_array_equal(cell[:2], images[i])
    assert (cell[[2, 5]] == 128).all() and (cell[6:] == 100).all()
    assert (cell[3:5] != images[i]).any()


def test_nothing_for_points():
  assert list(denoising.run(make(shape=(1, 1, 3)))) == []


def test_no_noise_is_refused():
  with pytest.raises(errors.UserError, match='stds must be positive'):
    list(denoising.run(make(), stds=(.3, 0.)))
