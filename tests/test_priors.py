"""Priors: support, law and refusals."""
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import priors

stats = pytest.importorskip('scipy.stats')

N = 4000
KEY = jax.random.key(0)
DIMENSIONS = {'ring': (2, 3, 8), 'swiss_roll': (2, 3)}
CASES = [(name, d) for name in priors.PRIORS
         for d in DIMENSIONS.get(name, (1, 2, 8))]


def draw(name, d, **options):
  fn = functools.partial(priors.PRIORS[name], **options)
  return np.asarray(jax.jit(fn, static_argnums=(1, 2))(KEY, N, d), 'float64')


def agrees(sample, cdf):
  """Kolmogorov-Smirnov with a fixed key: either it fits or it never will."""
  assert stats.kstest(sample, cdf).pvalue > .01


@pytest.mark.parametrize('name, d', CASES)
def test_protocol(name, d):
  fn = priors.PRIORS[name]
  z = fn(KEY, 5, d)
  assert z.shape == (5, d) and z.dtype == jnp.float32
  assert np.isfinite(z).all()
  np.testing.assert_array_equal(z, fn(KEY, 5, d))
  assert (z != fn(jax.random.key(1), 5, d)).any()


@pytest.mark.parametrize('name', priors.PRIORS)
def test_bad_sizes_are_refused(name):
  for n, d in ((0, 2), (5, 0), (5, -1)):
    with pytest.raises(ValueError, match=name):
      priors.PRIORS[name](KEY, n, d)


def test_dimensions_that_have_no_meaning_are_refused():
  with pytest.raises(ValueError, match='d >= 2'):
    priors.ring(KEY, 5, 1)
  for d in 1, 4:
    with pytest.raises(ValueError, match='2 or 3'):
      priors.swiss_roll(KEY, 5, d)
  with pytest.raises(ValueError, match='modes'):
    priors.gmm(KEY, 5, 2, modes=0)
  with pytest.raises(ValueError, match='directions'):
    priors.directions(KEY, 5, 0)


@pytest.mark.parametrize('d', [1, 3])
def test_normal(d):
  z = draw('normal', d, scale=2.)
  for axis in z.T:
    agrees(axis, stats.norm(0, 2).cdf)
  np.testing.assert_allclose(np.cov(z.T).reshape(d, d), 4 * np.eye(d), atol=.3)


@pytest.mark.parametrize('d', [1, 3])
def test_uniform(d):
  z = draw('uniform', d)
  assert abs(z).max() <= 1
  for axis in z.T:
    agrees(axis, stats.uniform(-1, 2).cdf)


@pytest.mark.parametrize('name, more', [('disc', 0), ('bowl', 2)])
@pytest.mark.parametrize('d', [1, 2, 8])
def test_disc_and_bowl(name, more, d):
  z = draw(name, d, radius=3.)
  r = np.linalg.norm(z, axis=1)
  assert r.max() <= 3 * (1 + 1e-6)
  agrees(r, lambda a: (a / 3)**(d + more))
  if d == 2:
    agrees(np.arctan2(*z.T), stats.uniform(-np.pi, 2 * np.pi).cdf)


def test_bowl_is_as_dense_as_the_square_of_the_radius():
  r2 = (draw('bowl', 2)**2).sum(1)
  # P(|z| <= r) = r^4, so the square has the density 2 r^2 on [0, 1].
  observed = np.histogram(r2, 10, (0, 1))[0]
  expected = N * np.diff(np.linspace(0, 1, 11)**2)
  assert stats.chisquare(observed, expected).pvalue > .01


@pytest.mark.parametrize('d', [2, 3])
def test_ring(d):
  z = draw('ring', d, radius=2., noise=.05)
  r = np.linalg.norm(z, axis=1)
  np.testing.assert_allclose(r.mean(), 2, atol=.01)
  np.testing.assert_allclose(r.std(), .05, rtol=.05)
  agrees(np.arctan2(z[:, 0], z[:, 1]), stats.uniform(-np.pi, 2 * np.pi).cdf)
  assert abs(np.linalg.norm(draw('ring', d), axis=1) - 1).max() < .06


def test_gmm():
  z = draw('gmm', 3, modes=4, spacing=2., scale=.1)
  k = np.rint(z / 2)
  assert (k == k[:, :1]).all()  # All axes agree on the mode.
  count = np.bincount(k[:, 0].astype(int))
  assert len(count) == 4 and stats.chisquare(count).pvalue > .01
  for axis in (z - 2 * k).T:
    agrees(axis, stats.norm(0, .1).cdf)


@pytest.mark.parametrize('d', [2, 3])
def test_swiss_roll(d):
  z = draw('swiss_roll', d)
  assert abs(z).max() <= 1
  r = np.hypot(z[:, 0], z[:, 1])
  agrees(r, stats.uniform(1 / 3, 2 / 3).cdf)
  # The angle follows the radius: that is the roll.
  turn = np.exp(1j * 4.5 * np.pi * r)
  np.testing.assert_allclose(
      z[:, 0] + 1j * z[:, 1], r * turn, atol=1e-4)
  if d == 3:
    agrees(z[:, 2], stats.uniform(-1, 2).cdf)
  noisy = draw('swiss_roll', d, noise=.1)
  np.testing.assert_allclose((noisy - z).std(), .1, rtol=.05)


@pytest.mark.parametrize('d', [1, 2, 3, 64])
def test_directions(d):
  theta = np.asarray(priors.directions(KEY, N, d), 'float64')
  np.testing.assert_allclose(np.linalg.norm(theta, axis=1), 1, rtol=1e-5)
  if d == 1:
    assert set(theta[:, 0]) == {-1., 1.}
    assert stats.binomtest(int((theta > 0).sum()), N).pvalue > .01
  else:
    # (1 + axis) / 2 of a uniform unit vector is Beta((d - 1)/2, (d - 1)/2).
    for axis in theta.T[:3]:
      agrees((1 + axis) / 2, stats.beta((d - 1) / 2, (d - 1) / 2).cdf)


def test_a_zero_draw_still_gives_a_unit_vector(monkeypatch):
  monkeypatch.setattr(
      jax.random, 'normal', lambda key, shape: jnp.zeros(shape))
  theta = priors.directions(KEY, 3, 4)
  np.testing.assert_allclose(jnp.linalg.norm(theta, axis=1), 1., rtol=1e-6)
