import numpy as np
import pytest

from swae_jax.evals import pca_modes
import views


def make(n=50, broken=False):
  """Codes [n, 3] that are correlated, a view of them, and what it decodes."""
  rng = np.random.default_rng(0)
  mix = np.array([[3., 0, 0], [1, 1, 0], [0, .5, .2]])
  z = (rng.normal(size=(n, 3)) @ mix + [1, 2, 3]).astype(np.float32)
  if broken:
    z[0] = np.nan
  decoded = []
  decode = lambda codes: decoded.append(codes) or np.zeros(
      (len(codes), 2, 2, 1), np.float32)
  return z, views.view(views.random(n), lambda x: z, decode), decoded


def test_codes_move_along_the_principal_axes(drawn):
  z, view, decoded = make()
  (got,) = pca_modes.run(view, modes=2, steps=5, extent=2.)
  assert got.name == 'pca_modes' and decoded[0].dtype == np.float32
  path = decoded[0].reshape(2, 5, 3)
  _, s, axes = np.linalg.svd(np.float64(z) - z.mean(0, dtype=float))
  for m in range(2):
    axis = axes[m] * np.sign(axes[m][np.abs(axes[m]).argmax()])
    for i, t in enumerate((-2, -1, 0, 1, 2)):
      want = z.mean(0) + t * s[m] / np.sqrt(len(z)) * axis
      np.testing.assert_allclose(path[m, i], want, rtol=1e-4, atol=1e-4)
  shares = [f'{v:.0%} of variance' for v in s[:2]**2 / np.sum(s**2)]
  assert drawn[0].labels == ['axis 1', 'axis 2']
  assert [row.right for row in drawn[0].rows] == shares
  assert drawn[0].rest['feet'] == ['-2', '-1', '0', '1', '2']


@pytest.mark.parametrize('n, modes, rows', [(50, 2, 2), (50, 10, 3), (2, 9, 2)])
def test_a_row_for_each_axis_that_there_is(n, modes, rows):
  _, view, decoded = make(n)
  list(pca_modes.run(view, modes=modes, steps=4))
  assert decoded[0].shape == (rows * 4, 3)


@pytest.mark.parametrize('n', [1, 50])
def test_codes_that_do_not_differ(n):
  _, view, decoded = make(n)
  (got,) = pca_modes.run(view._replace(encode=lambda x: np.ones((len(x), 3))))
  assert (decoded[0] == 1).all() and got.image.dtype == np.uint8


def test_nothing_for_codes_that_are_not_finite():
  assert list(pca_modes.run(make(broken=True)[1])) == []
