import functools
import math

import jax
import jax.numpy as jnp
import making
import numpy as np
import pytest

from swae_jax import errors, priors
from swae_jax.networks import NETWORKS
from swae_jax.systems import base, likelihoods

B, D, SHAPE, EPOCH = 6, 3, (2, 3, 1), 10
RNG = np.random.default_rng(0)
X = RNG.integers(2, size=(B, *SHAPE)).astype('float32')
GREY = RNG.uniform(size=(B, *SHAPE)).astype('float32')
NETWORK = NETWORKS['mlp'](SHAPE, hidden=8)
SPEC = base.Spec(SHAPE, True, True, EPOCH)
LAWS = ['bernoulli', 'gaussian', 'logistic_256']


def build(system='vae', **options):
  return making.system(system, SHAPE, D, network=NETWORK, steps_per_epoch=EPOCH,
                       **{'binary': True, **options})


@functools.cache
def initial(likelihood='bernoulli'):
  """Parameters none of which is 0."""
  s = build(likelihood=likelihood)
  variables = s.init(jax.random.key(0), X)
  return variables._replace(params=jax.tree.map(
      lambda p: p + .05, variables.params))


def part(variables, name, heads, x):
  maker = getattr(NETWORK, name)
  params = variables.params['model'][name]
  return [np.float64(y) for y in maker(*heads).apply({'params': params}, x)]


def log_normal(z, mean, logvar):
  """Number by number."""
  return np.array([sum(
      -.5 * ((a - m)**2 / math.exp(v) + v + math.log(2 * math.pi))
      for a, m, v in zip(*row, strict=True))
      for row in zip(np.float64(z), mean, logvar, strict=True)])


def sigmoid(x):
  return 1 / (1 + np.exp(-np.float64(x)))


def log_image(likelihood, x, outputs, scale=1.):
  """log p(x | z) from what the decoder returns, in float64."""
  x, total = np.float64(x), lambda v: v.reshape(len(v), -1).sum(1)
  mean = sigmoid(outputs[0])
  if likelihood == 'bernoulli':
    return total(np.log(np.where(x == 1, mean, 1 - mean)))
  if likelihood == 'gaussian':
    return total(-.5 * ((x - mean) / scale)**2
                 - math.log(scale * math.sqrt(2 * math.pi)))
  mean = mean.clip(1 / 512, 511 / 512)
  s = np.exp(outputs[1].clip(-4.5, 0))
  low = np.floor(256 * x).clip(max=255) / 256
  return total(np.log(
      sigmoid((low + 1 / 256 - mean) / s) - sigmoid((low - mean) / s) + 1e-7))


def terms(variables, x, z, likelihood='bernoulli', scale=1.):
  """log p(x | z), log p(z) and log q(z | x)."""
  mean, logvar = part(variables, 'encoder', (D, D), x)
  channels = (1, 1) if likelihood == 'logistic_256' else (1,)
  outputs = part(variables, 'decoder', channels, z)
  return (log_image(likelihood, x, outputs, scale),
          log_normal(z, 0 * mean, 0 * mean),
          log_normal(z, mean, logvar.clip(-6, 2)))


@pytest.mark.parametrize('likelihood, scale', [
    ('bernoulli', 1.), ('gaussian', 1.), ('gaussian', .3),
    ('logistic_256', 1.)])
def test_log_weight_and_sampled_loss(likelihood, scale):
  s = build(likelihood=likelihood, scale=scale, kl='sampled')
  x = X if likelihood == 'bernoulli' else GREY
  variables, key = initial(likelihood), jax.random.key(1)
  z = jax.jit(s.encode)(variables, x, key)
  log_x, log_p, log_q = terms(variables, x, z, likelihood, scale)
  weight = jax.jit(s.log_weight)(variables, x, key)
  # In float32 the logistic law is a difference of close numbers.
  np.testing.assert_allclose(weight, log_x + log_p - log_q, rtol=1e-4)
  loss, metrics = making.loss(s, variables, x)
  np.testing.assert_allclose(loss, -np.mean(weight), rtol=1e-5)
  np.testing.assert_allclose(metrics['log_likelihood'], log_x.mean(), rtol=1e-4)
  np.testing.assert_allclose(metrics['kl'], (log_q - log_p).mean(), rtol=1e-4)


def test_analytic_kl_is_the_mean_of_the_sampled():
  variables = initial()
  metrics = lambda s: jax.jit(jax.vmap(
      lambda key: s.loss(variables, X, key, 0)[1][1]))(
          jax.random.split(jax.random.key(0), 4000))
  exact, estimate = metrics(build()), metrics(build(kl='sampled'))
  assert exact['kl'].std() < 1e-5 < estimate['kl'].std()
  mean, logvar = part(initial(), 'encoder', (D, D), X)
  assert not np.any((logvar < -6) | (logvar > 2))
  kl = sum(.5 * (np.exp(v) + m**2 - 1 - v)
           for m, v in zip(mean.ravel(), logvar.ravel(), strict=True)) / B
  np.testing.assert_allclose(exact['kl'].mean(), kl, rtol=1e-4)
  np.testing.assert_allclose(estimate['kl'].mean(), kl, rtol=.02)
  np.testing.assert_allclose(
      exact['log_likelihood'].mean(), estimate['log_likelihood'].mean(),
      rtol=.01)


@pytest.mark.parametrize('system', ['vae', 'vampprior'])
@pytest.mark.parametrize('step, weight', [
    (0, 0.), (1, .05), (10, .5), (20, 1.), (500, 1.)])
def test_warm_up(system, step, weight):
  """Over 2 epochs of 10 steps."""
  options = {} if system == 'vae' else {'components': B}
  s = build(system, warm_up=2, beta=3., **options)
  variables = s.init(jax.random.key(0), X)
  loss, m = making.loss(s, variables, X, step=step)
  np.testing.assert_allclose(
      loss, -m['log_likelihood'] + 3 * weight * m['kl'], rtol=1e-5)
  np.testing.assert_allclose(
      m['elbo'], m['log_likelihood'] - m['kl'], rtol=1e-5)


def test_validation_is_at_the_full_weight():
  s, key = build(warm_up=2, beta=3.), jax.random.key(1)
  valid = jax.jit(s.valid)(initial(), X, key)
  np.testing.assert_allclose(valid, making.loss(
      s, initial(), X, step=20)[0], rtol=1e-6)
  assert abs(valid - making.loss(s, initial(), X, step=1)[0]) > .1


def test_codes():
  s, variables = build(), initial()
  mean, logvar = part(variables, 'encoder', (D, D), X)
  np.testing.assert_allclose(s.encode(variables, X), mean, rtol=1e-4)
  z = jax.jit(jax.vmap(lambda key: s.encode(variables, X, key)))(
      jax.random.split(jax.random.key(0), 4000))
  np.testing.assert_allclose(z.mean(0), mean, atol=.1)
  np.testing.assert_allclose(z.var(0), np.exp(logvar), rtol=.15)
  z = jax.jit(s.sample, static_argnums=2)(variables, jax.random.key(0), 4000)
  np.testing.assert_allclose(z.mean(0), np.zeros(D), atol=.07)
  np.testing.assert_allclose(np.cov(z.T), np.eye(D), atol=.07)


def test_log_variances_are_kept_in_their_range():
  s, variables = build(logvar_min=1., logvar_max=1.), initial()
  z = jax.jit(jax.vmap(lambda key: s.encode(variables, X, key)))(
      jax.random.split(jax.random.key(0), 2000))
  np.testing.assert_allclose(z.var(0), np.full((B, D), math.e), rtol=.2)


@pytest.mark.parametrize('likelihood', LAWS)
def test_decode_is_the_mean_of_what_is_drawn(likelihood):
  s, variables = build(likelihood=likelihood), initial(likelihood)
  z = jnp.linspace(-.5, .5, 2 * D).reshape(2, D)
  images = jax.jit(s.decode)(variables, z)
  channels = (1, 1) if likelihood == 'logistic_256' else (1,)
  outputs = part(variables, 'decoder', channels, z)
  np.testing.assert_allclose(images, sigmoid(outputs[0]), rtol=1e-4)
  law = likelihoods.make(likelihood, .1, SPEC)
  if likelihood == 'logistic_256':
    outputs[1][:] = -4.  # The range of the data hardly cuts so narrow a law.
  drawn = jax.jit(jax.vmap(lambda key: law.draw(
      key, *(jnp.float32(y) for y in outputs))))(
          jax.random.split(jax.random.key(0), 2000))
  np.testing.assert_allclose(drawn.mean(0), images, atol=.05)
  spread = {'bernoulli': np.sqrt(images * (1 - images)), 'gaussian': .1}
  if likelihood == 'bernoulli':
    assert set(np.unique(drawn)) == {0, 1}
  np.testing.assert_allclose(
      drawn.std(0), np.broadcast_to(spread.get(
          likelihood, np.exp(-4) * np.pi / 3**.5), images.shape), rtol=.15,
      atol=.01)


def test_logistic_means_and_scales_are_held():
  law = likelihoods.make('logistic_256', 1., SPEC)
  far = jnp.full((1, 1, 1, 1), 50.)
  np.testing.assert_allclose(law.mean(far, far).item(), 511 / 512, rtol=1e-6)
  np.testing.assert_allclose(law.mean(-far, far).item(), 1 / 512, rtol=1e-5)
  x = far * 0
  for end, output in ((0., far), (-4.5, -far)):
    np.testing.assert_allclose(
        law.log_prob(x, x, output), law.log_prob(x, x, end + x), rtol=1e-6)


def test_data_without_a_range():
  s = build(bounded=False, likelihood='gaussian', scale=.5)
  variables, key = initial('gaussian'), jax.random.key(1)
  z = s.encode(variables, X, key)
  mean, = part(variables, 'decoder', (1,), z)
  np.testing.assert_allclose(s.decode(variables, z), mean, rtol=1e-5)
  _, log_p, log_q = terms(variables, X, z)
  log_x = log_normal(X.reshape(B, -1), mean.reshape(B, -1),
                     np.full((B, 6), math.log(.25)))
  np.testing.assert_allclose(
      jax.jit(s.log_weight)(variables, X, key), log_x + log_p - log_q,
      rtol=1e-5)


@pytest.mark.parametrize('bounded, binary, name', [
    (True, True, 'bernoulli'), (True, False, 'logistic_256'),
    (False, False, 'gaussian')])
def test_the_data_choose_the_likelihood(bounded, binary, name):
  spec = base.Spec(SHAPE, bounded, binary, EPOCH)
  auto, named = (likelihoods.make(n, .3, spec) for n in ('auto', name))
  outputs = [jnp.asarray(GREY)] * named.outputs
  assert auto.outputs == named.outputs
  np.testing.assert_array_equal(
      auto.log_prob(X, *outputs), named.log_prob(X, *outputs))


@pytest.mark.parametrize('options, said', [
    ({'bounded': False, 'likelihood': 'bernoulli'},
     r'\[0, 1\].*likelihood=gaussian'),
    ({'prior': priors.PRIORS['normal'](scale=2.)}, 'kl=sampled'),
    ({'prior': priors.PRIORS['ring']()}, 'prior.name=normal'),
    ({'logvar_min': 3.}, 'logvar_min=3.0.*logvar_max=2.0')])
def test_refusals(options, said):
  with pytest.raises(errors.UserError, match=said):
    build(**options)


def test_clamped_is_the_share_of_log_variances_beyond_their_range():
  _, logvar = part(initial(), 'encoder', (D, D), X)
  low, high = np.quantile(logvar, [.2, .7])
  s = build(logvar_min=float(low), logvar_max=float(high))
  _, metrics = making.loss(s, initial(), X)
  want = np.mean((logvar < low) | (logvar > high))
  assert .3 < want < .7
  np.testing.assert_allclose(metrics['clamped'], want, atol=1.1 / logvar.size)
