import numpy as np
import pytest

from swae_jax.data import base as data_base
from swae_jax.evals import denoising, reconstruction
import views


def make(n=7, shape=(5, 4, 1), **functions):
  return views.view(views.random(n, shape), **functions)


def seen_by(view, **options):
  """The inputs of the encoder: for each std the chunks, then one to draw."""
  seen = []
  view = view._replace(encode=lambda x: seen.append(x) or x)
  found = list(denoising.run(view, **options))
  return seen, views.numbers(found)


def test_names_and_samples():
  found = list(denoising.run(make(), stds=(.1, .5)))
  assert [f.name for f in found] == [
      'denoising_error_std0.1', 'noisy_error_std0.1', 'denoising_std0.1',
      'denoising_error_std0.5', 'noisy_error_std0.5', 'denoising_std0.5']
  assert {found[i].samples for i in (0, 1, 3, 4)} == {7}


@pytest.mark.parametrize('chunk', [2, 100])
def test_errors_are_those_of_a_loop_over_the_encoded_images(chunk, monkeypatch):
  monkeypatch.setattr(reconstruction, 'CHUNK', chunk)
  view = make(decode=lambda z: z / 2)
  seen, values = seen_by(view)
  denoised, noisy = values.values()
  inputs = np.float64(np.concatenate(seen[:-1]))
  clean = view.data.test.images / 255
  assert inputs.shape == clean.shape
  error = lambda y: sum(((a - b) ** 2).sum() for a, b in zip(
      clean, y, strict=True)) / len(clean)
  np.testing.assert_allclose(denoised, error(inputs / 2), rtol=1e-5)
  np.testing.assert_allclose(noisy, error(inputs), rtol=1e-4)


def test_noise_has_the_std_and_is_not_clipped():
  """E |n|^2 = H W C std^2, which clipping to [0, 1] would more than halve."""
  for std in (.3, 2.):
    _, values = seen_by(make(n=200, shape=(8, 8, 3)), stds=(std,))
    same, noisy = values.values()
    np.testing.assert_allclose(noisy, 192 * std**2, rtol=.03)
    np.testing.assert_allclose(same, noisy, rtol=1e-6)


def test_noise_is_float32_and_fixed_and_new_in_each_chunk(monkeypatch):
  monkeypatch.setattr(reconstruction, 'CHUNK', 3)
  view = make(n=6)
  first, again = (seen_by(view, stds=(.2, .4))[0] for _ in range(2))
  assert first[0].dtype == np.float32
  for a, b in zip(first, again, strict=True):
    np.testing.assert_array_equal(a, b)
  x = data_base.to_float(view.data.test.images)
  assert not np.isclose(first[0] - x[:3], first[1] - x[3:]).any()
  # The second std scales the same noise.
  np.testing.assert_allclose(2 * (first[0] - x[:3]), first[3] - x[:3],
                             atol=1e-6)


def test_picture_has_clean_noisy_and_denoised_from_the_top(drawn):
  view = make(n=3, shape=(2, 2, 1), decode=lambda z: np.full_like(z, 100 / 255))
  list(denoising.run(view, rows=1, columns=3))
  clean, noisy, denoised = drawn[0].levels()
  assert drawn[0].labels == ['data', 'with noise', 'reconstruction']
  assert 'standard deviation 0.3' in drawn[0].title
  assert clean == view.data.test.images[:, 0, 0, 0].tolist() != noisy
  assert denoised == [100] * 3
