"""The two sides of MIM, term by term."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)
LOG_X, LOG_P, LOG_Q, LOG_P1, LOG_QX = RNG.normal(size=(5, 4))


@pytest.mark.parametrize('b', [0., .4, 1.])
def test_a_mim_with_the_marginal(b, check_gradient):
  out = jax.jit(lambda b: losses.a_mim(
      LOG_X, LOG_P, LOG_Q, log_p1=LOG_P1, warm_up=b))(b)
  q_x = LOG_X + LOG_P1 + b * LOG_P - LOG_Q
  np.testing.assert_allclose(
      out, -.5 * (LOG_X + LOG_P1 + b * LOG_P + b * (LOG_Q + q_x)),
      rtol=1e-5, atol=1e-6)
  check_gradient(lambda x, p, p1: losses.a_mim(
      x, p, LOG_Q, log_p1=p1, warm_up=b), LOG_X, LOG_P, LOG_P1)


def test_a_mim_is_the_bound_without_entropy():
  np.testing.assert_allclose(
      losses.a_mim(LOG_X, LOG_P, LOG_Q), -LOG_X - LOG_P, rtol=1e-5)
  # log q(z | x) cancels, gradient and all.
  grad = jax.jit(jax.grad(
      lambda q: losses.a_mim(LOG_X, LOG_P, q).sum()))(LOG_Q)
  np.testing.assert_allclose(grad, 0., atol=1e-7)


def test_a_mim_with_a_model_of_the_data(check_gradient):
  fn = lambda x, p, q, q_x: losses.a_mim(x, p, q, log_qx=q_x, warm_up=.4)
  arrays = LOG_X, LOG_P, LOG_Q, LOG_QX
  np.testing.assert_allclose(
      jax.jit(fn)(*arrays),
      -.5 * (LOG_X + .4 * LOG_P + .4 * (LOG_Q + LOG_QX)), rtol=1e-5)
  check_gradient(fn, *arrays)


def test_decoder_mim(check_gradient):
  fn = lambda x, p, q, p1: losses.decoder_mim(x, p, q, log_p1=p1, warm_up=.4)
  arrays = LOG_X, LOG_P, LOG_Q, LOG_P1
  np.testing.assert_allclose(
      jax.jit(fn)(*arrays),
      -.5 * (LOG_X + LOG_P1 + LOG_P + .4 * (LOG_Q + LOG_X)), rtol=1e-5)
  check_gradient(fn, *arrays)
  np.testing.assert_allclose(
      losses.decoder_mim(LOG_X, LOG_P, LOG_Q, log_qx=LOG_QX),
      -.5 * (LOG_X + LOG_P + LOG_Q + LOG_QX), rtol=1e-5)


def test_reinforce_keeps_the_value_and_adds_its_score():
  fn = lambda **k: jax.jit(lambda x: losses.decoder_mim(
      x, LOG_P, LOG_Q, **k))
  np.testing.assert_array_equal(fn(reinforce=True)(LOG_X), fn()(LOG_X))
  grad = lambda **k: jax.grad(lambda x: fn(**k)(x).sum())(LOG_X)
  np.testing.assert_allclose(
      grad(reinforce=True), grad() + fn()(LOG_X), rtol=1e-5)


def test_reinforce_is_the_gradient_of_the_mean_over_binary_x():
  q = jnp.array([.3, -.8])  # log q(z | x) at x = 0, 1.

  def loss(logit, x, **k):
    log_x = losses.log_bernoulli(x[:, None], jnp.full((len(x), 1), logit))
    zero = jnp.zeros_like(log_x)
    return losses.decoder_mim(log_x, zero, q[x], **k)

  def mean(logit, **k):
    x, p = jnp.arange(2), jax.nn.sigmoid(logit)
    weight = jnp.stack([1 - p, p])
    if k:  # The law of x is held fixed, as that of a sample is.
      weight = jax.lax.stop_gradient(weight)
    return jnp.sum(weight * loss(logit, x, **k))

  np.testing.assert_allclose(
      jax.jit(jax.grad(lambda a: mean(a, reinforce=True)))(.7),
      jax.jit(jax.grad(mean))(.7), rtol=1e-5)


def test_the_decoder_joins_after_the_warm_up():
  fn = jax.jit(lambda b: losses.symmetric_mim(LOG_X, LOG_P, warm_up=b))
  np.testing.assert_allclose(fn(.99), LOG_X, rtol=1e-6)
  np.testing.assert_allclose(fn(1.), LOG_X + LOG_P, rtol=1e-6)
  np.testing.assert_allclose(
      losses.symmetric_mim(LOG_X, LOG_P), LOG_X + LOG_P, rtol=1e-6)


@pytest.mark.parametrize('fn', [
    losses.a_mim, losses.decoder_mim,
    lambda a, b, c: losses.symmetric_mim(a, b)])
@pytest.mark.parametrize('shapes', [
    ((4,), (4, 1), (4,)), ((4,), (3,), (4,)), ((4, 1), (4, 1), (4, 1))])
def test_bad_shapes_are_refused(fn, shapes):
  with pytest.raises(ValueError, match='one value per example'):
    fn(*map(np.ones, shapes))


def test_optional_arrays_are_checked_too():
  for name in 'log_p1', 'log_qx':
    with pytest.raises(ValueError, match=name):
      losses.a_mim(LOG_X, LOG_P, LOG_Q, **{name: np.ones(3)})
