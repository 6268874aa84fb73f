"""MMD against double loops and its statistical meaning."""
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)
SCALES = (.1, .2, .5, 1., 2., 5., 10.)
KERNELS = {  # Ours, and one pair of points in numpy.
    'imq': (losses.imq(3.), lambda d2: 3 / (3 + d2)),
    'rbf': (losses.rbf(1.5), lambda d2: np.exp(-d2 / 1.5**2)),
    'imq7': (losses.multiscale(losses.imq, 6.),
             lambda d2: sum(6 * s / (6 * s + d2) for s in SCALES)),
    'rbf2': (losses.multiscale(losses.rbf, 2., (.5, 2.)),
             lambda d2: np.exp(-d2) + np.exp(-d2 / 16)),
}


def double_loop(x, y, kernel, unbiased):
  k = lambda a, b: kernel(((a - b)**2).sum())

  def within(x):
    pairs = [(i, j) for i in range(len(x)) for j in range(len(x))
             if i != j or not unbiased]
    return np.mean([k(x[i], x[j]) for i, j in pairs])

  return within(x) + within(y) - 2 * np.mean([k(a, b) for a in x for b in y])


@pytest.mark.parametrize('name', KERNELS)
@pytest.mark.parametrize('unbiased', [True, False])
@pytest.mark.parametrize('n, m', [(6, 6), (5, 8)])
def test_value_and_gradient(name, unbiased, n, m, check_gradient):
  x, y = RNG.normal(size=(n, 3)), .5 * RNG.normal(size=(m, 3)) + .5
  kernel, reference = KERNELS[name]
  fn = functools.partial(losses.mmd, kernel=kernel, unbiased=unbiased)
  np.testing.assert_allclose(
      jax.jit(fn)(x, y), double_loop(x, y, reference, unbiased),
      rtol=1e-5, atol=1e-6)
  check_gradient(fn, x, y)


def test_a_small_difference_of_large_means_is_exact():
  kernel, reference = KERNELS['imq7']
  for seed in range(5):
    rng = np.random.default_rng(seed)
    x, y = 1.1 * rng.normal(size=(200, 3)), rng.normal(size=(200, 3))
    x, y = np.float32(x), np.float32(y)

    def mean(a, b):
      d2 = ((np.float64(a)[:, None] - b)**2).sum(-1)
      return reference(d2[~np.eye(200, dtype=bool)] if a is b else d2).mean()
    np.testing.assert_allclose(
        jax.jit(functools.partial(losses.mmd, kernel=kernel))(x, y),
        mean(x, x) + mean(y, y) - 2 * mean(x, y), atol=2e-7)


def test_unbiased_is_zero_on_average_and_of_both_signs():
  x, y = jax.random.normal(jax.random.key(0), (2, 2000, 6, 2))
  fn = lambda **k: jax.jit(jax.vmap(functools.partial(
      losses.mmd, kernel=losses.imq(4.), **k)))(x, y)
  u, v = fn(), fn(unbiased=False)
  assert abs(u.mean()) < 4 * u.std() / 2000**.5
  assert u.min() < 0 < u.max()
  assert v.min() > -1e-6 and v.mean() > 10 * u.std() / 2000**.5


def test_grows_with_the_shift():
  x, y = RNG.normal(size=(2, 50, 2))
  fn = jax.jit(functools.partial(losses.mmd, kernel=losses.imq(4.)))
  value = [float(fn(x, y + shift)) for shift in (0., .5, 1., 2., 4.)]
  assert value == sorted(value)


def test_a_common_shift_changes_nothing():
  x, y = RNG.normal(size=(2, 50, 2))
  fn = jax.jit(functools.partial(losses.mmd, kernel=losses.imq(4.)))
  np.testing.assert_allclose(fn(x + 1000, y + 1000), fn(x, y), atol=1e-5)


def test_equal_points_have_finite_gradients():
  x = np.zeros((4, 2))
  grad = jax.jit(jax.grad(functools.partial(
      losses.mmd, kernel=losses.multiscale(losses.imq, 4.))))(x, x)
  np.testing.assert_allclose(grad, 0., atol=1e-7)


def test_scale_may_be_traced():
  x, y = RNG.normal(size=(2, 5, 2))
  value = jax.jit(lambda c: losses.mmd(x, y, losses.imq(c)))(4.)
  np.testing.assert_allclose(value, losses.mmd(x, y, losses.imq(4.)), rtol=1e-5)


def test_nan_gives_nan():
  x, y = RNG.normal(size=(2, 5, 2))
  x[0, 0] = np.nan
  fn = functools.partial(losses.mmd, kernel=losses.imq(4.))
  for args in (x, y), (y, x), (x, x):
    assert np.isnan(jax.jit(fn)(*args))


def test_half_precision_is_computed_in_float32():
  x, y = jnp.array(RNG.normal(size=(2, 5, 2)), jnp.bfloat16)
  value = jax.jit(lambda x, y: losses.mmd(x, y, losses.imq(4.)))(x, y)
  expected = double_loop(*(np.asarray(a, 'float64') for a in (x, y)),
                         lambda d2: 4 / (4 + d2), True)
  assert value.dtype == jnp.float32
  np.testing.assert_allclose(value, expected, rtol=1e-4)


@pytest.mark.parametrize('shapes', [
    ((4, 3), (4, 2)), ((4,), (4,)), ((1, 3), (4, 3)), ((4, 3), (1, 3))])
def test_bad_shapes_are_refused(shapes):
  for fn in (functools.partial(losses.mmd, kernel=losses.imq(1.)),
             losses.energy_distance):
    with pytest.raises(ValueError):
      fn(*map(np.ones, shapes))


def test_one_example_has_a_v_statistic():
  x, y = np.zeros((1, 2)), np.ones((1, 2))
  out = losses.mmd(x, y, losses.imq(1.), unbiased=False)
  np.testing.assert_allclose(out, 2 - 2 / 3, rtol=1e-6)
