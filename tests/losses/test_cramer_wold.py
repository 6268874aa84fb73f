"""Cramer-Wold distance against integrals over directions."""
import jax
import numpy as np
import pytest

from swae_jax import losses, priors

special = pytest.importorskip('scipy.special')
stats = pytest.importorskip('scipy.stats')

RNG = np.random.default_rng(0)


def along(direction, x, y, gamma):
  """Squared L2 distance of the smoothed projections; y None: N(0, 1)."""
  product = lambda a, b, variance: stats.norm.pdf(
      a[:, None] - b[None], scale=variance**.5).mean()
  s = x @ direction
  if y is None:
    zero = np.zeros(1)
    return (product(s, s, 2 * gamma) + product(zero, zero, 2 + 2 * gamma)
            - 2 * product(s, zero, 1 + 2 * gamma))
  t = y @ direction
  return (product(s, s, 2 * gamma) + product(t, t, 2 * gamma)
          - 2 * product(s, t, 2 * gamma))


def over_directions(x, y, count=4000):
  d = x.shape[1]
  if d == 2:
    angle = np.arange(count) * np.pi / count
    theta = np.stack([np.cos(angle), np.sin(angle)], 1)
  else:
    theta = np.asarray(priors.directions(jax.random.key(0), count, d))
  gamma = (4 / (3 * len(x)))**.4
  values = [along(t, x, y, gamma) for t in theta]
  return np.mean(values), np.std(values) / count**.5


@pytest.mark.parametrize('d, rtol', [(1, 1e-4), (2, 1e-4), (5, .03), (24, .08)])
@pytest.mark.parametrize('closed_form', [True, False])
def test_it_is_the_mean_over_directions(d, rtol, closed_form, check_gradient):
  x = RNG.normal(size=(12, d)) + .5
  y = None if closed_form else .7 * RNG.normal(size=(12, d))
  fn = jax.jit(losses.cramer_wold)
  value, error = over_directions(x, y)
  np.testing.assert_allclose(fn(x, y), value, rtol=rtol, atol=4 * error)
  check_gradient(lambda x: losses.cramer_wold(x, y), x, rtol=1e-4)


@pytest.mark.parametrize('d', [1, 2, 3, 8, 13, 19])
def test_kummers_function(d):
  # One point against itself, shifted by a known distance, shows it alone.
  gamma = (4 / 3)**.4
  for s in (0., .1, 3., 50., 190., 210., 1e4):
    x, y = np.zeros((1, d)), np.zeros((1, d))
    y[0, 0] = (4 * gamma * s)**.5
    value = losses.cramer_wold(x, y) * 2 * (np.pi * gamma)**.5
    np.testing.assert_allclose(
        1 - value / 2, special.hyp1f1(.5, d / 2, -s), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('shapes', [((4, 3), (4, 2)), ((4,), (4,)), ((4,),)])
def test_bad_shapes_are_refused(shapes):
  with pytest.raises(ValueError, match='cramer_wold'):
    losses.cramer_wold(*map(np.ones, shapes))


def test_two_standard_normal_samples_are_near():
  near, far = (losses.cramer_wold(shift + jax.random.normal(
      jax.random.key(0), (2000, 8))) for shift in (0., .3))
  assert 0 <= near < 1e-3 < far
