"""What the two systems of the same paper share."""
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import errors, priors
from swae_jax.networks import NETWORKS
from swae_jax.systems import SYSTEMS, base, wae

N, D, SHAPE = 6, 2, (2, 3, 1)
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(N, *SHAPE)).astype('float32')
MANY = RNG.uniform(size=(400, *SHAPE)).astype('float32')
Z = RNG.normal(size=(N, D)).astype('float32')
NETWORK = NETWORKS['mlp'](SHAPE, hidden=16)
SYSTEMS = pytest.mark.parametrize('system', ['wae_mmd', 'wae_gan'])
SMALL = {'wae_gan': {'width': 8, 'depth': 1}, 'wae_mmd': {}}


def build(system='wae_mmd', prior=lambda *_: jnp.asarray(Z), **options):
  return SYSTEMS[system](NETWORK, prior, base.Spec(SHAPE, True, 10), D,
                            **SMALL[system], **options)


@functools.cache
def initial(system='wae_mmd', encoder='deterministic'):
  return build(system, encoder=encoder).init(jax.random.key(0), X)


def reconstructions(o, variables, n):
  """As the loss finds them, with n keys.  [n]."""
  one = lambda key: o.loss(variables, X, key, 0)[1][1]['reconstruction']
  return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(1), n))


@SYSTEMS
def test_random_encoder(system):
  o, n = build(system, encoder='gaussian'), 4000
  variables = initial(system, 'gaussian')
  mean, logvar = NETWORK.encoder(D, D).apply(
      {'params': variables.params['model']['encoder']}, X)
  np.testing.assert_allclose(o.encode(variables, X), mean, rtol=1e-5)
  keys = jax.random.split(jax.random.key(0), n)
  draws = jax.jit(jax.vmap(lambda key: o.encode(variables, X, key)))(keys)
  std = np.exp(logvar / 2)
  np.testing.assert_allclose(draws.mean(0), mean, atol=5 * std.max() / n**.5)
  np.testing.assert_allclose(draws.std(0), std, rtol=.06)
  # The loss decodes such draws.
  z = mean[None] + std[None] * RNG.normal(size=(n, N, D)).astype('float32')
  images = jax.jit(jax.vmap(lambda z: o.decode(variables, z)))(z)
  error = np.sum((np.float64(images) - X)**2, axis=(1, 2, 3, 4)).mean() / N
  found = reconstructions(o, variables, n)
  assert np.std(found) > 1e-3
  np.testing.assert_allclose(found.mean(), error, rtol=.02)


@SYSTEMS
def test_input_noise_is_in_the_loss_alone(system):
  variables = initial(system)
  noisy = build(system, input_noise=.3)
  assert np.ptp(reconstructions(build(system), variables, 9)) < 1e-6
  assert np.ptp(reconstructions(noisy, variables, 9)) > 1e-4
  for key in (None, jax.random.key(0)):
    np.testing.assert_array_equal(
        noisy.encode(variables, X, key), build(system).encode(variables, X))


def test_what_is_to_be_reconstructed_has_no_noise():
  """An encoder that looks at nothing does not see the noise either."""
  o, variables = build(input_noise=.3), initial()
  blind = jax.tree.map(jnp.zeros_like, variables.params['model']['encoder'])
  variables = variables._replace(
      params={'model': {**variables.params['model'], 'encoder': blind}})
  assert np.ptp(reconstructions(o, variables, 9)) < 1e-6


def test_noise_is_cut_off_at_two_deviations():
  noise = wae.noisy(jax.random.key(0), jnp.zeros((20000,)), .01)
  assert .0199 < abs(noise).max() <= .02
  np.testing.assert_allclose(noise.std(), .0088, rtol=.02)  # Of that law.
  assert abs(noise.mean()) < 5e-4


def test_mismatch():
  a, b = RNG.normal(size=(7, D)) + 3, 2 * RNG.normal(size=(9, D))
  reference = (np.mean((a.mean(0) - b.mean(0))**2)
               + np.mean((np.cov(a.T) - np.cov(b.T))**2))
  np.testing.assert_allclose(wae.mismatch(*map(jnp.asarray, (a, b))),
                             reference, rtol=1e-5)


def away(key, n, d):
  return 2 + priors.normal(key, n, d)


@functools.cache
def started(system, steps, prior=away):
  """The system, what it starts from, and the same once more."""
  o = build(system, prior, pretrain_steps=steps, pretrain_examples=len(MANY))
  assert o.examples == (len(MANY) if steps else 1)
  init = jax.jit(o.init)
  return o, *(init(jax.random.key(0), MANY) for _ in range(2))


def test_pretraining_brings_mean_and_covariance_near():
  def gap(steps):
    o, variables, _ = started('wae_mmd', steps)
    z = np.float64(o.encode(variables, MANY))
    return (np.mean((z.mean(0) - 2)**2)
            + np.mean((np.cov(z.T) - np.eye(D))**2))
  assert gap(0) > 2 and gap(1000) < .2


def moved(system, steps, prior=away, part='encoder'):
  """The farthest that pre-training moves a number of this part."""
  before, after = (v[1].params['model'][part] for v in (
      started(system, 0), started(system, steps, prior)))
  return max(jax.tree.leaves(jax.tree.map(
      lambda a, b: abs(a - b).max(), before, after)))


def test_pretraining_takes_no_more_steps_than_it_may():
  """Each of the first steps of Adam is about as long as its rate."""
  assert 1.9e-3 < moved('wae_mmd', 2) < 2.1e-3


def test_pretraining_stops_when_it_is_near():
  o, variables, _ = started('wae_mmd', 0)
  codes = o.encode(variables, MANY)  # A prior that is there already.
  assert moved('wae_mmd', 1000, lambda *_: codes) < 1.1e-3


def test_pretraining_is_of_the_encoder_and_a_function_of_the_key():
  assert moved('wae_gan', 20) > 1e-2
  assert moved('wae_gan', 20, part='decoder') == 0
  jax.tree.map(np.testing.assert_array_equal, *started('wae_gan', 20)[1:])


@pytest.mark.parametrize('options, said', [
    ({'encoder': 'implicit'}, 'deterministic, gaussian'),
    ({'weight': -1.}, 'weight=-1'),
    ({'input_noise': float('nan')}, 'input_noise=nan'),
    ({'pretrain_examples': 1}, 'at least 2')])
def test_refusals(options, said):
  with pytest.raises(errors.UserError, match=said):
    build(**options)
