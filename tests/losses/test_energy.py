"""Energy distance against double loops."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)


def double_loop(x, y, unbiased):
  def within(x):
    pairs = [np.linalg.norm(a - b) for a in x for b in x]
    return sum(pairs) / (len(x) * (len(x) - unbiased))
  between = np.mean([np.linalg.norm(a - b) for a in x for b in y])
  return 2 * between - within(x) - within(y)


@pytest.mark.parametrize('unbiased', [True, False])
@pytest.mark.parametrize('n, m', [(6, 6), (5, 8)])
def test_value_and_gradient(unbiased, n, m, check_gradient):
  x, y = RNG.normal(size=(n, 3)), .5 * RNG.normal(size=(m, 3)) + .5
  fn = lambda x, y: losses.energy_distance(x, y, unbiased=unbiased)
  np.testing.assert_allclose(
      jax.jit(fn)(x, y), double_loop(x, y, unbiased), rtol=1e-5, atol=1e-6)
  check_gradient(fn, x, y)


def test_gradient_at_equal_points_is_finite():
  x = np.repeat(RNG.normal(size=(3, 2)), 2, axis=0)
  for unbiased in (True, False):
    grad = jax.jit(jax.grad(lambda x, y, unbiased=unbiased: (
        losses.energy_distance(x, y, unbiased=unbiased))))(x, x[:4])
    assert jnp.isfinite(grad).all()


def test_two_samples_of_one_law_are_at_zero_on_average():
  draw = lambda key: jax.random.normal(key, (50, 2))
  keys = jax.random.split(jax.random.key(0), (400, 2))
  values = jax.jit(jax.vmap(lambda k: losses.energy_distance(
      draw(k[0]), draw(k[1]))))(keys)
  assert abs(values.mean()) < 4 * values.std() / 20
