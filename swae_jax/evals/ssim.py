"""Structural similarity of images."""
import numpy as np

WINDOW, SIGMA = 11, 1.5
C1, C2 = .01**2, .03**2  # for values in [0, 1]
CHUNK = 20  # Images at once: more overflow the cache and take 4 times as long.


def fits(shape: tuple[int, ...]) -> bool:
  """Whether images [H, W, C] are at least as large as the window."""
  return min(shape[:2]) >= WINDOW


def ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """Wang et al., "Image quality assessment", 2004, eq. 13, mean over an image.

  A Gaussian window of 11x11 pixels and deviation 1.5 weights the moments.  The
  mean is over all places of the window inside the image, and over the channels
  of an RGB image.

  Args:
    x: [N, H, W, C], values in [0, 1], H and W at least 11.
    y: the same.

  Returns:
    [N] float64, at most 1; equal images have 1.
  """
  return np.concatenate([_ssim(x[start:start + CHUNK], y[start:start + CHUNK])
                         for start in range(0, len(x), CHUNK)])


def _ssim(x, y):
  """`ssim` of at most CHUNK images."""
  x, y = (np.moveaxis(v.astype(np.float64), -1, 1) for v in (x, y))
  rows, columns = _windows(x.shape[2]), _windows(x.shape[3]).T
  mean = lambda values: rows @ values @ columns
  x_mean, y_mean = mean(x), mean(y)
  x_var, y_var = mean(x**2) - x_mean**2, mean(y**2) - y_mean**2
  covariance = mean(x * y) - x_mean * y_mean
  likeness = ((2 * x_mean * y_mean + C1) * (2 * covariance + C2)
              / ((x_mean**2 + y_mean**2 + C1) * (x_var + y_var + C2)))
  return likeness.mean((1, 2, 3))


def _windows(size):
  """Weights along an axis, a row for each place.  [size - 10, size]."""
  offset = np.arange(size)[None] - np.arange(size - WINDOW + 1)[:, None]
  inside = (offset >= 0) & (offset < WINDOW)
  weights = np.exp(-.5 * ((offset - WINDOW // 2) / SIGMA)**2) * inside
  return weights / weights.sum(1, keepdims=True)
