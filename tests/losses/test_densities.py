"""Log-likelihoods against scipy and sums over all outcomes."""
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import losses

stats = pytest.importorskip('scipy.stats')
special = pytest.importorskip('scipy.special')

RNG = np.random.default_rng(0)
X, MEAN, LOGVAR = RNG.normal(size=(3, 4, 2, 3))


def test_bernoulli(check_gradient):
  x = RNG.integers(0, 2, size=(4, 2, 3)).astype(float)
  expected = stats.bernoulli.logpmf(x, special.expit(MEAN)).sum((1, 2))
  np.testing.assert_allclose(
      jax.jit(losses.log_bernoulli)(x, MEAN), expected, rtol=1e-5)
  check_gradient(losses.log_bernoulli, x, MEAN)
  far = losses.log_bernoulli(np.array([[1.], [0.]]), np.array([[-1e4], [-1e4]]))
  np.testing.assert_allclose(far, [-1e4, 0.])


def test_bernoulli_takes_integers():
  x = RNG.integers(0, 2, size=(4, 2, 3)).astype('uint8')
  np.testing.assert_array_equal(
      losses.log_bernoulli(x, MEAN),
      losses.log_bernoulli(x.astype('float32'), MEAN))


def test_log_normal_of_one_variance(check_gradient):
  expected = stats.norm.logpdf(X, MEAN, .3).sum((1, 2))
  np.testing.assert_allclose(
      jax.jit(losses.log_normal)(X, MEAN, 2 * np.log(.3)), expected, rtol=1e-5)
  check_gradient(losses.log_normal, X, MEAN, 2 * np.log(.3))


def test_normal(check_gradient):
  expected = stats.norm.logpdf(X, MEAN, np.exp(LOGVAR / 2)).sum((1, 2))
  np.testing.assert_allclose(
      jax.jit(losses.log_normal)(X, MEAN, LOGVAR), expected, rtol=1e-5)
  check_gradient(losses.log_normal, X, MEAN, LOGVAR)


@pytest.mark.parametrize('weighted', [True, False])
def test_normal_mixture(weighted, check_gradient):
  z, means, logvars = X[:, 0], RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))
  logits = RNG.normal(size=5) if weighted else None
  weight = special.softmax(logits) if weighted else np.full(5, .2)
  density = lambda a: sum(
      w * np.prod(stats.norm.pdf(a, m, np.exp(v / 2)))
      for w, m, v in zip(weight, means, logvars, strict=True))
  np.testing.assert_allclose(
      jax.jit(losses.log_normal_mixture)(z, means, logvars, logits),
      np.log([density(a) for a in z]), rtol=1e-5)
  given = (logits,) if weighted else ()
  check_gradient(losses.log_normal_mixture, z, means, logvars, *given)


def test_normal_mixture_far_away_and_narrow():
  z, means = np.array([[300.]]), np.array([[299.], [-299.]])
  out = losses.log_normal_mixture(z, means, np.full((2, 1), -6.))
  expected = stats.norm.logpdf(1, 0, np.exp(-3)) - np.log(2)
  np.testing.assert_allclose(out, expected, rtol=1e-5)


def test_logistic_256(check_gradient):
  x = RNG.uniform(size=(4, 2, 3))
  mean, logscale = .5 + .1 * MEAN, -2 + .3 * LOGVAR
  low = np.floor(256 * x) / 256
  cdf = functools.partial(stats.logistic.cdf, loc=mean, scale=np.exp(logscale))
  expected = np.log(cdf(low + 1 / 256) - cdf(low) + 1e-7).sum((1, 2))
  np.testing.assert_allclose(
      jax.jit(losses.log_logistic_256)(x, mean, logscale), expected, rtol=1e-4)
  check_gradient(
      lambda m, s: losses.log_logistic_256(x, m, s), mean, logscale)


@pytest.mark.parametrize('levels', [
    np.arange(256) / 255, (np.arange(256) + .5) / 256, np.arange(256) / 256])
def test_all_levels_together_miss_only_the_tails(levels):
  x = levels[:, None].astype('float32')
  like = functools.partial(np.full_like, x)
  total = np.exp(losses.log_logistic_256(x, like(.98), like(-4.))).sum()
  inside = np.diff(stats.logistic.cdf([0, 1], .98, np.exp(-4)))[0]
  np.testing.assert_allclose(total, inside + 256e-7, rtol=1e-4)


def test_impossible_level_keeps_a_floor():
  x, mean = np.array([[1.]]), np.array([[0.]])
  out = losses.log_logistic_256(x, mean, np.array([[-6.]]))
  np.testing.assert_allclose(out, np.log(1e-7), rtol=1e-5)


@pytest.mark.parametrize('fn, shapes', [
    (losses.log_bernoulli, ((4, 3), (4, 1))),
    (losses.log_normal, ((4, 3), (3,), ())),
    (losses.log_normal, ((4, 3), (4, 3), (3,))),
    (losses.log_logistic_256, ((4, 3), (4, 3), (4, 1))),
    (losses.log_normal_mixture, ((4, 3), (5, 2), (5, 2))),
    (losses.log_normal_mixture, ((4, 3), (5, 3), (1, 3))),
    (losses.log_normal_mixture, ((4, 3), (5, 3), (5, 3), (4,))),
])
def test_bad_shapes_are_refused(fn, shapes):
  with pytest.raises(ValueError):
    fn(*map(jnp.ones, shapes))
