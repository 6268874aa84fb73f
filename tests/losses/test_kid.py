"""The KID against a double loop and its statistical meaning."""
import jax
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)


def double_loop(x, y):
  k = lambda a, b: (a @ b / len(a) + 1)**3
  within = lambda x: np.mean([k(x[i], x[j]) for i in range(len(x))
                              for j in range(len(x)) if i != j])
  return within(x) + within(y) - 2 * np.mean([k(a, b) for a in x for b in y])


@pytest.mark.parametrize('n, m', [(6, 6), (5, 8)])
def test_value_and_gradient(n, m, check_gradient):
  x, y = RNG.normal(size=(n, 3)), .5 * RNG.normal(size=(m, 3)) + .5
  np.testing.assert_allclose(
      jax.jit(losses.kid)(x, y), double_loop(x, y), rtol=1e-4, atol=1e-5)
  check_gradient(losses.kid, x, y)


def test_small_features_keep_their_digits():
  x, y = .01 * RNG.normal(size=(2, 40, 8)) + [[[.0]], [[.01]]]
  np.testing.assert_allclose(
      jax.jit(losses.kid)(x, y), double_loop(x, y), rtol=1e-3)


def test_zero_on_average_and_of_both_signs_for_equal_laws():
  x, y = jax.random.normal(jax.random.key(0), (2, 2000, 6, 2))
  value = jax.jit(jax.vmap(losses.kid))(x, y)
  assert abs(value.mean()) < 4 * value.std() / 2000**.5
  assert value.min() < 0 < value.max()


@pytest.mark.parametrize('shapes', [
    ((4, 3), (4, 2)), ((4,), (4,)), ((1, 3), (4, 3)), ((4, 3), (1, 3))])
def test_bad_shapes_are_refused(shapes):
  with pytest.raises(ValueError, match='kid'):
    losses.kid(*map(np.ones, shapes))
