"""The latent game against binary cross entropy."""
import jax
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)
PRIOR, CODE = 3 * RNG.normal(size=(2, 6))
SIGMOID = lambda a: 1 / (1 + np.exp(-a))


def test_critic_loss(check_gradient):
  expected = -np.log(SIGMOID(PRIOR)) - np.log(1 - SIGMOID(CODE))
  np.testing.assert_allclose(
      jax.jit(losses.critic_loss)(CODE, PRIOR), expected, rtol=1e-5)
  check_gradient(losses.critic_loss, CODE, PRIOR)


def test_generator_loss(check_gradient):
  np.testing.assert_allclose(
      jax.jit(losses.generator_loss)(CODE), -np.log(SIGMOID(CODE)), rtol=1e-5)
  check_gradient(losses.generator_loss, CODE)


def test_large_logits_stay_finite():
  logits = np.array([-1e4, 1e4])
  grad = jax.jit(jax.grad(lambda a: losses.generator_loss(a).sum()))(logits)
  np.testing.assert_allclose(losses.generator_loss(logits), [1e4, 0.])
  np.testing.assert_allclose(grad, [-1., 0.])


@pytest.mark.parametrize('shapes', [
    ((4, 1), (4,)), ((4,), (4, 1)), ((4, 1), (4, 1)), ((4,), (3,)), ((), ())])
def test_logits_of_another_shape_are_refused(shapes):
  with pytest.raises(ValueError, match='one value per example'):
    losses.critic_loss(*map(np.ones, shapes))


def test_a_column_of_logits_is_refused():
  with pytest.raises(ValueError, match='one value per example'):
    losses.generator_loss(np.ones((4, 1)))
