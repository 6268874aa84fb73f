"""Priors: support, law and refusals."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import priors

stats = pytest.importorskip('scipy.stats')
special = pytest.importorskip('scipy.special')

N = 4000
KEY = jax.random.key(0)
DIMENSIONS = {'ring': (2, 3, 8), 'swiss_roll': (2, 3)}
CASES = [(name, d) for name in priors.PRIORS
         for d in DIMENSIONS.get(name, (1, 2, 8))]


def draw(name, d, **options):
  fn = priors.PRIORS[name](**options).sample
  return np.asarray(jax.jit(fn, static_argnums=(1, 2))(KEY, N, d), 'float64')


def agrees(sample, cdf):
  """Kolmogorov-Smirnov with a fixed key: either it fits or it never will."""
  assert stats.kstest(sample, cdf).pvalue > .01


@pytest.mark.parametrize('name, d', CASES)
def test_protocol(name, d):
  fn = priors.PRIORS[name]().sample
  z = fn(KEY, 5, d)
  assert z.shape == (5, d) and z.dtype == jnp.float32
  assert np.isfinite(z).all()
  np.testing.assert_array_equal(z, fn(KEY, 5, d))
  assert (z != fn(jax.random.key(1), 5, d)).any()


@pytest.mark.parametrize('name', priors.PRIORS)
def test_bad_sizes_are_refused(name):
  for n, d in ((0, 2), (5, 0), (5, -1)):
    with pytest.raises(ValueError, match=name):
      priors.PRIORS[name]().sample(KEY, n, d)


def test_dimensions_that_have_no_meaning_are_refused():
  with pytest.raises(ValueError, match='d >= 2'):
    priors.ring().sample(KEY, 5, 1)
  for d in 1, 4:
    with pytest.raises(ValueError, match='d = 2 or d = 3'):
      priors.swiss_roll().sample(KEY, 5, d)
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


@pytest.mark.parametrize('name, power', [
    ('disc', lambda d: d), ('bowl', lambda d: d + 2), ('circle', lambda d: 1)])
@pytest.mark.parametrize('d', [1, 2, 8])
def test_laws_on_the_ball(name, power, d):
  z = draw(name, d, radius=3.)
  r = np.linalg.norm(z, axis=1)
  assert r.max() <= 3 * (1 + 1e-6)
  agrees(r, lambda a: (a / 3)**power(d))
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


OPTIONS = [('normal', {'scale': 2.}), ('uniform', {'scale': .5}),
           ('disc', {'radius': 2.}), ('circle', {'radius': 2.}),
           ('bowl', {'radius': .5}), ('ring', {'radius': 2., 'noise': .3}),
           ('gmm', {'modes': 3, 'spacing': 2., 'scale': .3}),
           ('swiss_roll', {'noise': .1})]


@pytest.mark.parametrize('name, options', OPTIONS)
@pytest.mark.parametrize('d', [1, 2, 3, 8])
def test_variance_is_that_of_the_samples(name, options, d):
  prior = priors.PRIORS[name](**options)
  if d not in DIMENSIONS.get(name, (1, 2, 3, 8)):
    return
  z = np.asarray(prior.sample(KEY, 200_000, d), 'float64')
  np.testing.assert_allclose(z.var(0).mean(), prior.variance(d), rtol=.01)


@pytest.mark.parametrize('name, options', [
    case for case in OPTIONS if priors.PRIORS[case[0]]().log_prob])
@pytest.mark.parametrize('d', [1, 2])
def test_density_has_the_mass_one_and_the_moments_of_the_samples(
    name, options, d):
  prior = priors.PRIORS[name](**options)
  # Midpoints, so that no cell has its centre at the pole of `circle`.
  side, reach = {1: 200_000, 2: 1_000}[d], 10.
  axis = (np.arange(side) + .5) / side * 2 * reach - reach
  z = np.stack([a.ravel() for a in np.meshgrid(*[axis] * d)], 1)
  with jax.enable_x64(True):
    mass = np.exp(np.asarray(prior.log_prob(z))) * (2 * reach / side)**d
  np.testing.assert_allclose(mass.sum(), 1, rtol=.02)
  mean = (mass[:, None] * z).sum(0)
  spread = (mass[:, None] * (z - mean)**2).sum(0).mean()
  np.testing.assert_allclose(spread, prior.variance(d), rtol=.02)


@pytest.mark.parametrize('name', ['disc', 'circle', 'bowl'])
def test_density_on_the_ball_of_many_axes(name):
  prior = priors.PRIORS[name](radius=2.)
  # The mass between two radii is P(|z| <= r) = (r / 2)^power.
  d, power = 5, {'disc': 5, 'circle': 1, 'bowl': 7}[name]
  r = 1.3
  z = np.zeros((1, d))
  z[0, 2] = r
  area = 2 * np.pi**(d / 2) / special.gamma(d / 2) * r**(d - 1)
  found = np.exp(prior.log_prob(z)[0]) * area
  expected = power / 2 * (r / 2)**(power - 1)
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert prior.log_prob(2 * z)[0] == -np.inf


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
