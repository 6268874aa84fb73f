"""Sliced distances against loops, POT, OTT and known values."""
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)
THETA = RNG.normal(size=(7, 3))
THETA /= np.linalg.norm(THETA, axis=1, keepdims=True)
SIZES = [(6, 6), (6, 9), (12, 4)]


def samples(n, m):
  return 2 * RNG.normal(size=(n, 3)), RNG.normal(size=(m, 3)) + .3


def costs(x, y, p):
  """W_p^p along each direction: a loop over pieces of the quantiles."""
  out = []
  for theta in THETA:
    s, t = sorted(x @ theta), sorted(y @ theta)
    n, m = len(s), len(t)
    # Every mass 1/n is cut into m pieces, every 1/m into n: both give n m.
    out.append(np.mean([abs(s[k // m] - t[k // n])**p for k in range(n * m)]))
  return np.array(out)


@pytest.mark.parametrize('p', [1, 1.5, 2])
@pytest.mark.parametrize('n, m', SIZES)
def test_values_and_gradients(n, m, p, check_gradient):
  x, y = samples(n, m)
  for fn, reduce in ((losses.sliced_wasserstein, np.mean),
                     (losses.max_sliced_wasserstein, np.max)):
    fn = functools.partial(fn, p=p)
    np.testing.assert_allclose(
        jax.jit(fn)(x, y, THETA), reduce(costs(x, y, p)), rtol=1e-5)
    check_gradient(fn, x, y, THETA)


@pytest.mark.parametrize('p', [1, 3])
@pytest.mark.parametrize('n, m', SIZES)
def test_against_pot(n, m, p):
  ot = pytest.importorskip('ot')
  x, y = samples(n, m)
  options = {'projections': THETA.T, 'p': p}
  np.testing.assert_allclose(
      jax.jit(functools.partial(losses.sliced_wasserstein, p=p))(x, y, THETA),
      ot.sliced.sliced_wasserstein_distance(x, y, **options)**p, rtol=1e-5)
  np.testing.assert_allclose(
      jax.jit(functools.partial(
          losses.max_sliced_wasserstein, p=p))(x, y, THETA),
      ot.sliced.max_sliced_wasserstein_distance(x, y, **options)**p, rtol=1e-5)


@pytest.mark.parametrize('n, m', [(6, 6), (5, 8)])
def test_against_ott(n, m):
  sliced = pytest.importorskip('ott.tools.sliced')
  x, y = (jnp.array(a, 'float32') for a in samples(n, m))
  theta = jnp.array(THETA, 'float32')
  with jax.numpy_rank_promotion('allow'):
    expected, _ = sliced.sliced_wasserstein(x, y, proj_fn=lambda a: a @ theta.T)
  np.testing.assert_allclose(
      jax.jit(losses.sliced_wasserstein)(x, y, theta), expected, rtol=1e-5)


def test_a_shift_costs_its_square_along_each_direction():
  x, _ = samples(6, 6)
  shift = np.array([1., -2., .5])
  along = (THETA @ shift)**2
  args = x, RNG.permutation(x) + shift, THETA
  np.testing.assert_allclose(
      jax.jit(losses.sliced_wasserstein)(*args), along.mean(), rtol=1e-5)
  np.testing.assert_allclose(
      jax.jit(losses.max_sliced_wasserstein)(*args), along.max(), rtol=1e-5)


def test_equal_samples_cost_nothing_and_have_a_zero_gradient():
  x, _ = samples(6, 6)
  x = np.concatenate([x, x[:2]])  # With ties.
  for p in 1, 2:
    value, grad = jax.jit(jax.value_and_grad(functools.partial(
        losses.sliced_wasserstein, p=p)))(x, x, THETA)
    assert value == 0.
    np.testing.assert_array_equal(grad, 0.)


def test_repeating_a_sample_changes_nothing():
  x, y = samples(5, 8)
  fn = jax.jit(losses.sliced_wasserstein)
  np.testing.assert_allclose(
      fn(np.repeat(x, 3, 0), np.repeat(y, 2, 0), THETA), fn(x, y, THETA),
      rtol=1e-5)


def test_ascent_never_falls_and_finds_the_shift():
  x, y = samples(8, 8)
  # The first step is far too long: most are refused, and then halved.
  value = [float(jax.jit(functools.partial(
      losses.max_sliced_wasserstein, steps=steps, step_size=9.))(x, y, THETA))
           for steps in (0, 1, 2, 5, 20)]
  assert value == sorted(value) and value[0] < value[-1]
  shift = np.array([1., -2., .5])
  found = jax.jit(functools.partial(
      losses.max_sliced_wasserstein, steps=60))(x, x + shift, THETA)
  np.testing.assert_allclose(found, shift @ shift, rtol=1e-4)


def test_ascent_gives_the_gradient_at_the_maximiser():
  # For two points the maximiser is their difference, and the cost its square.
  x, y = samples(1, 1)
  fn = functools.partial(losses.max_sliced_wasserstein, steps=100)
  value, grad = jax.jit(jax.value_and_grad(fn))(x, y, THETA)
  np.testing.assert_allclose(value, np.sum((x - y)**2), rtol=1e-5)
  np.testing.assert_allclose(grad, 2 * (x - y), rtol=1e-2)
  by_theta = jax.jit(jax.grad(fn, 2))(x, y, THETA)
  np.testing.assert_array_equal(by_theta, 0.)


@pytest.mark.parametrize('at', [0, 1])
def test_nan_gives_nan(at):
  arrays = [*samples(6, 6), THETA]
  arrays[at] = arrays[at].copy()
  arrays[at][0, 0] = np.nan
  value, grad = jax.jit(jax.value_and_grad(losses.sliced_wasserstein))(*arrays)
  assert np.isnan(value) and np.isnan(grad).any()
  assert np.isnan(jax.jit(losses.max_sliced_wasserstein)(*arrays))


def test_half_precision_is_computed_in_float32():
  x, y = samples(6, 6)
  x = jnp.array(x, jnp.bfloat16)
  value, grad = jax.jit(jax.value_and_grad(losses.sliced_wasserstein))(
      x, y, THETA)
  assert value.dtype == jnp.float32 and grad.dtype == jnp.bfloat16
  np.testing.assert_allclose(
      value, costs(np.asarray(x, 'float64'), y, 2).mean(), rtol=1e-5)


DISTRIBUTIONAL = losses.distributional_sliced_wasserstein


@pytest.mark.parametrize('n, m', SIZES)
def test_a_law_of_directions_starts_from_the_uniform_one(
    n, m, check_gradient):
  x, y = samples(n, m)
  fn = functools.partial(DISTRIBUTIONAL, steps=0)
  np.testing.assert_allclose(
      jax.jit(fn)(x, y, THETA), costs(x, y, 2).mean(), rtol=1e-5)
  check_gradient(lambda x, y: fn(x, y, THETA), x, y)


def test_a_law_of_directions_finds_the_shift_unless_it_is_held_apart():
  x, _ = samples(8, 8)
  shift = np.array([1., -2., .5])
  value = lambda **options: float(jax.jit(functools.partial(
      DISTRIBUTIONAL, **options))(x, x + shift, THETA))
  free = value(steps=300, regularization=0.)
  np.testing.assert_allclose(free, shift @ shift, rtol=.02)
  held = value(steps=300, regularization=100.)
  uniform = float(losses.sliced_wasserstein(x, x + shift, THETA))
  assert held < .7 * free
  steps = [value(steps=n, regularization=0.) for n in (0, 1, 5, 20)]
  assert steps[0] == pytest.approx(uniform, rel=1e-5)
  assert steps == sorted(steps)


@pytest.mark.parametrize('shapes', [
    ((4, 3), (4, 2), (5, 3)), ((4, 3), (4, 3), (5, 2)), ((4,), (4,), (5,)),
    ((0, 3), (4, 3), (5, 3)), ((4, 3), (4, 3), (0, 3))])
def test_bad_shapes_are_refused(shapes):
  for fn in (losses.sliced_wasserstein, losses.max_sliced_wasserstein,
             DISTRIBUTIONAL):
    with pytest.raises(ValueError, match='one D'):
      fn(*map(np.ones, shapes))


def test_small_p_is_refused():
  x, y = samples(4, 4)
  with pytest.raises(ValueError, match='p must be at least 1'):
    losses.sliced_wasserstein(x, y, THETA, p=.5)
