import numpy as np
import pytest

from swae_jax.data import base, synthetic


@pytest.mark.parametrize('dim, modes, std', [(10, 5, .2), (2, 3, .05)])
def test_gmm_has_its_modes_on_the_diagonal(dim, modes, std):
  d = synthetic.gmm(dim=dim, modes=modes, std=std, size=5000)
  x = d.train.images
  assert x.shape == (5000, 1, 1, dim) and x.dtype == np.float32
  assert d.classes == modes and not d.bounded and not d.binarize
  for k in range(modes):
    points = x[d.train.labels == k].reshape(-1, dim)
    error = 5 * std / np.sqrt(len(points))
    assert abs(len(points) / 5000 - 1 / modes) < .05
    np.testing.assert_allclose(points.mean(0), k, atol=error)
    # Spherical: the covariance is std^2 times the identity.
    np.testing.assert_allclose(np.cov(points.T), std ** 2 * np.eye(dim),
                               atol=7 * std * error)


def test_swiss_roll_lies_on_its_surface():
  d = synthetic.swiss_roll(size=2000, bins=6)
  x, height, z = d.train.images.reshape(-1, 3).astype(np.float64).T
  angle = np.hypot(x, z) * 4.5 * np.pi
  np.testing.assert_allclose(x, np.hypot(x, z) * np.cos(angle), atol=1e-5)
  np.testing.assert_allclose(z, np.hypot(x, z) * np.sin(angle), atol=1e-5)
  assert 1.5 * np.pi <= angle.min() + 1e-5 and angle.max() < 4.5 * np.pi + 1e-5
  along = (angle / (1.5 * np.pi) - 1) / 2 * 6
  inside = abs(along - np.rint(along)) > 1e-4  # Not at the edge of a bin.
  np.testing.assert_array_equal(np.floor(along)[inside],
                                d.train.labels[inside])
  share = np.bincount(d.train.labels) / 2000
  np.testing.assert_allclose(share, 1 / 6, atol=.04)
  assert -1 <= height.min() < -.98 and .98 < height.max() <= 1
  assert d.classes == 6 and not d.bounded


@pytest.mark.parametrize('make', [synthetic.gmm, synthetic.swiss_roll])
def test_same_each_time_and_splits_differ(make):
  one = make(size=50)
  assert base.fingerprint(one) == base.fingerprint(make(size=50))
  assert [len(s.images) for s in one[1:4]] == [50, 5, 5]
  points = np.concatenate([s.images[:, 0, 0] for s in one[1:4]])
  assert len(np.unique(points, axis=0)) == 60
