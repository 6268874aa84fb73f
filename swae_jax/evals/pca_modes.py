"""Images along the principal axes of the codes."""
import numpy as np

from swae_jax import errors
from swae_jax.evals import base, pictures


def run(view, *, modes=10, steps=7, extent=3.):
  """Decoded mean test code, moved along each of its first principal axes.

  Figure 5 of the sliced SWAE paper: one row for each axis, the one of greatest
  variance first, from -extent to extent standard deviations of the codes.
  """
  if modes < 1 or steps < 1:
    raise errors.UserError(f'pca_modes: modes={modes}, steps={steps}: ask for '
                           'at least 1 of each')
  images = view.data.test.images
  if not base.is_image(images.shape[1:]):
    return
  z = view.encode(images).astype(np.float64)
  if not np.isfinite(z).all():
    return
  mean = z.mean(0)
  moves = _principal(z - mean)[:modes, None]
  t = np.linspace(-extent, extent, steps)[None, :, None]
  path = (mean + t * moves).astype(np.float32)
  yield base.Picture('pca_modes', pictures.tile(
      view.decode(path.reshape(-1, z.shape[1])), steps))


def _principal(z):
  """Principal axes, as long as a standard deviation.  [N, D] -> [D, D]."""
  variances, axes = np.linalg.eigh(z.T @ z / len(z))
  axes = axes.T[::-1]
  # An axis has two directions: the one whose largest component is positive.
  largest = np.take_along_axis(axes, abs(axes).argmax(1)[:, None], 1)
  axes = axes * np.sign(largest)
  return axes * np.sqrt(np.maximum(variances[::-1], 0))[:, None]
