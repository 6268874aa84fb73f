import numpy as np
import pytest

from swae_jax.evals import ssim


def one_window(x, y, weights):
  """The formula at one place, by the definition of each moment."""
  mean = lambda values: sum(
      w * v for w, v in zip(weights.ravel(), values.ravel(), strict=True))
  a, b = mean(x), mean(y)
  covariance = mean((x - a) * (y - b))
  variances = mean((x - a) ** 2) + mean((y - b) ** 2)
  return ((2 * a * b + .0001) * (2 * covariance + .0009)
          / (a * a + b * b + .0001) / (variances + .0009))


def by_loops(x, y):
  """Mean over all windows of one channel.  2 of [H, W] -> scalar."""
  i, j = np.mgrid[-5:6, -5:6]
  weights = np.exp(-(i**2 + j**2) / (2 * 1.5**2))
  weights /= weights.sum()
  height, width = x.shape
  return np.mean([
      one_window(x[r:r + 11, c:c + 11], y[r:r + 11, c:c + 11], weights)
      for r in range(height - 10) for c in range(width - 10)])


def pair(shape, noise=.2):
  rng = np.random.default_rng(0)
  x = rng.random(shape)
  return x, np.clip(x + noise * rng.normal(size=shape), 0, 1)


def test_value_is_that_of_loops():
  x, y = pair((2, 13, 12, 3))
  got = ssim.ssim(np.float32(x), np.float32(y))
  want = [np.mean([by_loops(a[..., c], b[..., c]) for c in range(3)])
          for a, b in zip(x, y, strict=True)]
  np.testing.assert_allclose(got, want, rtol=1e-5)
  assert got.dtype == np.float64 and .2 < got.min() < got.max() < .98


@pytest.mark.parametrize('n', [19, 20, 41])
def test_any_number_of_images(n):
  x, y = pair((n, 11, 11, 1))
  want = [ssim.ssim(a[None], b[None])[0] for a, b in zip(x, y, strict=True)]
  np.testing.assert_allclose(ssim.ssim(x, y), want, rtol=1e-12)


def test_value_is_that_of_scipys_filter():
  ndimage = pytest.importorskip('scipy.ndimage')
  x, y = pair((1, 15, 17, 1))
  blur = lambda v: ndimage.gaussian_filter(
      v[0, ..., 0], 1.5, radius=5)[5:-5, 5:-5]
  a, b = blur(x), blur(y)
  variances = blur(x * x) - a * a + blur(y * y) - b * b
  covariance = blur(x * y) - a * b
  want = ((2 * a * b + 1e-4) * (2 * covariance + 9e-4)
          / (a * a + b * b + 1e-4) / (variances + 9e-4)).mean()
  np.testing.assert_allclose(ssim.ssim(x, y), [want], rtol=1e-10)


def test_equal_images_are_alike_and_others_less_in_either_order():
  x, y = pair((3, 11, 14, 1))
  np.testing.assert_allclose(ssim.ssim(x, x), 1., rtol=1e-12)
  np.testing.assert_allclose(ssim.ssim(x, y), ssim.ssim(y, x), rtol=1e-12)
  far = ssim.ssim(*pair((3, 11, 14, 1), noise=.5))
  assert (far < ssim.ssim(x, y)).all() and (ssim.ssim(x, y) < 1).all()


def test_flat_images_differ_by_their_brightness_alone():
  flat = lambda v: np.full((1, 11, 11, 1), v)
  np.testing.assert_allclose(
      ssim.ssim(flat(.2), flat(.6)), (.24 + 1e-4) / (.4 + 1e-4), rtol=1e-9)


@pytest.mark.parametrize('shape, answer', [
    ((11, 11, 1), True), ((11, 10, 3), False), ((8, 28, 1), False)])
def test_size(shape, answer):
  assert ssim.fits(shape) is answer
