"""Bounds against integrals that are known."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)
M1, V1, M2, V2 = RNG.normal(size=(4, 3, 2))


def by_quadrature(m1, v1, m2, v2):
  """KL of one axis by a fine sum."""
  z = m1 + np.exp(v1 / 2) * np.linspace(-12, 12, 20001)
  log_n = lambda m, v: -.5 * ((z - m)**2 / np.exp(v) + v + np.log(2 * np.pi))
  density = np.exp(log_n(m1, v1))
  return np.sum(density * (log_n(m1, v1) - log_n(m2, v2))) * (z[1] - z[0])


def test_kl_normal(check_gradient):
  kl = np.vectorize(by_quadrature)
  np.testing.assert_allclose(
      jax.jit(losses.kl_normal)(M1, V1, M2, V2), kl(M1, V1, M2, V2).sum(1),
      rtol=1e-5)
  np.testing.assert_allclose(
      jax.jit(losses.kl_normal)(M1, V1), kl(M1, V1, 0., 0.).sum(1), rtol=1e-5)
  check_gradient(losses.kl_normal, M1, V1, M2, V2)


def test_kl_of_almost_equal_laws():
  shift = np.full((1, 1), 1e-3, 'float32')
  np.testing.assert_allclose(
      losses.kl_normal(np.zeros((1, 1)), shift),
      .5 * (np.expm1(1e-3) - 1e-3), rtol=1e-3)


def test_sampled_kl_has_the_mean_of_the_analytic_one():
  m, v = jnp.full((100000, 1), .5), jnp.full((100000, 1), -.7)
  z = m + jnp.exp(v / 2) * jax.random.normal(jax.random.key(0), m.shape)
  zero = jnp.zeros_like(m)
  kl = jax.jit(losses.kl_sampled)(
      losses.log_normal(z, m, v), losses.log_normal(z, zero, zero))
  np.testing.assert_allclose(
      kl.mean(), losses.kl_normal(m, v)[0], atol=4 * kl.std() / 1e5**.5)


def test_negative_elbo(check_gradient):
  log_x, kl = RNG.normal(size=(2, 4))
  out = jax.jit(lambda beta: losses.negative_elbo(log_x, kl, beta=beta))(.3)
  np.testing.assert_allclose(out, .3 * kl - log_x, rtol=1e-6)
  np.testing.assert_allclose(
      losses.negative_elbo(log_x, kl), kl - log_x, rtol=1e-6)
  check_gradient(losses.negative_elbo, log_x, kl)


def linear_model(samples, slack):
  """x = z + noise: weights of a proposal, and the true log p(x)."""
  x = jnp.array([.3, -1.2])
  mean, logvar = .5 * x, jnp.log(jnp.full(2, .5)) + slack
  z = mean[None] + jnp.exp(logvar / 2)[None] * jax.random.normal(
      jax.random.key(0), (samples, 2))
  log_n = lambda a, m, v: -.5 * ((a - m)**2 / jnp.exp(v) + v
                                 + jnp.log(2 * jnp.pi))
  weights = (log_n(x[None], z, 0.) + log_n(z, 0., 0.)
             - log_n(z, mean[None], logvar[None]))
  return weights, log_n(x, 0., jnp.log(2.))


def test_log_marginal_with_the_true_posterior_is_exact():
  weights, expected = linear_model(3, 0.)
  np.testing.assert_allclose(
      jax.jit(losses.log_marginal)(weights), expected, rtol=1e-5)


def test_log_marginal_tightens():
  few, expected = linear_model(4000, 1.)
  bound = lambda s: jnp.mean(jax.vmap(losses.log_marginal)(
      few.reshape(-1, s, 2)), 0)
  one, ten, all_ = bound(1), bound(10), bound(4000)
  assert (one < ten).all() and (ten < all_ + .02).all()
  np.testing.assert_allclose(all_, expected, atol=.05)


def test_log_marginal_does_not_overflow():
  weights = np.array([[1000.], [1001.]])
  np.testing.assert_allclose(
      losses.log_marginal(weights), 1000 + np.log((1 + np.e) / 2))


@pytest.mark.parametrize('fn, shapes', [
    (losses.kl_normal, ((4, 3), (4, 1))),
    (losses.kl_normal, ((4, 3), (4, 3), (3,))),
    (losses.kl_sampled, ((4,), (4, 1))),
    (losses.negative_elbo, ((4,), ())),
    (losses.log_marginal, ((4,),)),
    (losses.log_marginal, ((0, 4),)),
])
def test_bad_shapes_are_refused(fn, shapes):
  with pytest.raises(ValueError):
    fn(*map(np.ones, shapes))
