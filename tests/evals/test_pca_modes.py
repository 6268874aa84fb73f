import types

import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, pca_modes


def make(shape=(2, 2, 1), n=50, decoded=None, broken=False):
  """Codes of three axes, correlated; `decoded` takes what is decoded."""
  rng = np.random.default_rng(0)
  mix = np.array([[3., 0, 0], [1, 1, 0], [0, .5, .2]])
  z = (rng.normal(size=(n, 3)) @ mix + [1, 2, 3]).astype(np.float32)
  if broken:
    z[0] = np.nan
  split = data_base.Split(np.zeros((n, *shape), np.uint8), None)

  def decode(codes):
    decoded.append(codes)
    return np.zeros((len(codes), *shape), np.float32)

  return z, base.View(lambda x: z, decode, None,
                      types.SimpleNamespace(test=split))


def test_codes_move_along_the_principal_axes():
  decoded = []
  z, view = make(decoded=decoded)
  (got,) = pca_modes.run(view, modes=2, steps=5, extent=2.)
  assert got.name == 'pca_modes'
  path = decoded[0].reshape(2, 5, 3)
  assert decoded[0].dtype == np.float32
  _, s, axes = np.linalg.svd(np.float64(z) - z.mean(0, dtype=float))
  for m in range(2):
    axis = axes[m] * np.sign(axes[m][np.abs(axes[m]).argmax()])
    for i, t in enumerate((-2, -1, 0, 1, 2)):
      want = z.mean(0) + t * s[m] / np.sqrt(len(z)) * axis
      np.testing.assert_allclose(path[m, i], want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('modes, rows', [(2, 2), (10, 3)])
def test_a_row_for_each_axis_that_there_is(modes, rows):
  decoded = []
  list(pca_modes.run(make(decoded=decoded)[1], modes=modes, steps=4))
  assert decoded[0].shape == (rows * 4, 3)


def test_codes_that_do_not_differ():
  decoded = []
  _, view = make(decoded=decoded)
  (got,) = pca_modes.run(view._replace(encode=lambda x: np.ones((len(x), 3))))
  assert (decoded[0] == 1).all() and got.image.dtype == np.uint8


@pytest.mark.parametrize('options', [{'shape': (1, 1, 3)}, {'broken': True}])
def test_nothing_for_points_or_codes_that_are_not_finite(options):
  assert list(pca_modes.run(make(**options)[1])) == []


@pytest.mark.parametrize('options', [{'modes': 0}, {'steps': 0}])
def test_none_are_refused(options):
  with pytest.raises(errors.UserError, match='at least 1 of each'):
    list(pca_modes.run(make()[1], **options))
