import functools

import jax
import jax.numpy as jnp
import making
import numpy as np
import pytest

from swae_jax import losses
from swae_jax.networks import NETWORKS

B, D, K, SHAPE, EPOCH = 6, 2, 4, (2, 3, 1), 10
RNG = np.random.default_rng(0)
X = RNG.integers(2, size=(B, *SHAPE)).astype('float32')
NETWORK = NETWORKS['mlp'](SHAPE, hidden=8)


def build(name='mim', **options):
  return making.system(name, SHAPE, D, network=NETWORK, binary=True,
                       steps_per_epoch=EPOCH, **{'components': K, **options})


@functools.cache
def initial(levels=1, likelihood='bernoulli'):
  """Parameters none of which is 0."""
  s = build(levels=levels, likelihood=likelihood)
  variables = s.init(jax.random.key(0), X[:K])
  return jax.tree.map(lambda p: p + .05, variables)


def metrics_of(s, variables, step=0):
  return making.loss(s, variables, X, step=step)[1]


def test_same_parameters_as_the_vampprior():
  """And the same codes, samples and bound."""
  mim, vamp = (build(name, levels=2) for name in ('mim', 'vampprior'))
  variables, key = initial(2), jax.random.key(2)
  shapes = lambda s: jax.eval_shape(s.init, key, X[:K])
  assert shapes(mim) == shapes(vamp)
  for fn in ('encode', 'log_weight'):
    np.testing.assert_array_equal(
        *(jax.jit(getattr(s, fn))(variables, X, key) for s in (mim, vamp)))


@pytest.mark.parametrize('levels', [1, 2])
def test_a_mim_is_the_bound_without_the_entropy(levels):
  """-log p(x | z) - log p(z), at the end of the warm-up."""
  s, vamp = build(symmetric=False, levels=levels), build(
      'vampprior', levels=levels)
  variables, key = initial(levels), jax.random.key(1)
  m = metrics_of(s, variables)
  z = jax.jit(s.encode)(variables, X, key)
  both = jax.jit(vamp.log_weight)(variables, X, key)
  np.testing.assert_allclose(m['elbo'], both.mean(), rtol=1e-5)
  log_q = log_posterior(variables, levels, X, z)
  np.testing.assert_allclose(m['loss'], -(both + log_q).mean(), rtol=1e-5)


def law(variables, name, heads, *inputs):
  maker = {'encoder': NETWORK.encoder, 'decoder': NETWORK.hierarchy.decoder,
           'joint_encoder': NETWORK.hierarchy.encoder,
           'conditional': NETWORK.hierarchy.conditional}[name]
  params = variables.params['model'][name]
  out = maker(*heads).apply({'params': params}, *inputs)
  if len(heads) == 1:
    return np.float64(out[0])
  return np.float64(out[0]), np.float64(out[1]).clip(-6, 2)


def log_normal(z, mean, logvar):
  return np.sum(-.5 * ((z - mean)**2 / np.exp(logvar) + logvar
                       + np.log(2 * np.pi)), axis=-1)


def log_posterior(variables, levels, x, z):
  z = np.float64(z)
  last = z[:, -D:]
  log_q = log_normal(last, *law(variables, 'encoder', (D, D), x))
  if levels == 1:
    return log_q
  return log_q + log_normal(
      z[:, :D], *law(variables, 'joint_encoder', (D, D), x, last))


def decoder_side(variables, levels, n, draw):
  """A mean over n samples, drawn by NumPy."""
  rng = np.random.default_rng(0)
  noise = lambda law: law[0] + np.exp(.5 * law[1]) * rng.normal(
      size=law[0].shape)
  u = np.asarray(variables.params['model']['pseudo_inputs']).clip(0, 1)
  means, logvars = law(variables, 'encoder', (D, D), u)
  k = rng.integers(K, size=n)
  z = noise((means[k], logvars[k]))
  log_p = np.log(np.mean(np.exp(log_normal(
      z[:, None], means[None], logvars[None])), axis=1))
  codes = [z]
  if levels == 2:
    conditional = law(variables, 'conditional', (D, D), z)
    z1 = noise(conditional)
    log_p += log_normal(z1, *conditional)
    codes = [z1, z]
  logits = law(variables, 'decoder', (1,), *codes)
  p = 1 / (1 + np.exp(-logits))
  x = (rng.random(p.shape) < p) * 1. if draw else p
  log_x = np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=(1, 2, 3))
  log_q = log_posterior(variables, levels, x, np.concatenate(codes, 1))
  return np.mean(-.5 * (log_x + log_p + log_q + log_x))


@pytest.mark.parametrize('levels, draw', [(1, True), (2, False)])
def test_both_sides(levels, draw):
  s, variables = build(levels=levels, draw=draw), initial(levels)
  m = jax.jit(jax.vmap(lambda key: s.loss(variables, X, key, 0)[1][1]))(
      jax.random.split(jax.random.key(0), 2000))
  np.testing.assert_allclose(
      m['loss'], m['encoder_loss'] + m['decoder_loss'], rtol=1e-5)
  one = build(levels=levels, symmetric=False)
  alone = jax.jit(jax.vmap(lambda key: one.loss(variables, X, key, 0)[0]))(
      jax.random.split(jax.random.key(0), 2000))
  np.testing.assert_allclose(
      m['encoder_loss'].mean(), alone.mean(), rtol=.01)
  np.testing.assert_allclose(
      m['decoder_loss'].mean(),
      decoder_side(variables, levels, 10000, draw), rtol=.02)


@pytest.mark.parametrize('step, b', [(0, 0.), (5, .5), (9, .9), (10, 1.)])
def test_warm_up(step, b):
  """Over an epoch of 10 steps; the decoder's side waits for its end."""
  s, variables = build(levels=2, warm_up=1), initial(2)
  m = metrics_of(s, variables, step=step)
  np.testing.assert_allclose(
      m['loss'], m['encoder_loss'] + (m['decoder_loss'] if b == 1 else 0),
      rtol=1e-6)
  one, key = build(levels=2, warm_up=1, symmetric=False), jax.random.key(1)
  m = metrics_of(one, variables, step=step)
  z = jax.jit(one.encode)(variables, X, key)
  z1, z2 = np.split(np.float64(z), 2, axis=1)
  log_q = log_posterior(variables, 2, X, z).mean()
  log_p1 = log_normal(z1, *law(variables, 'conditional', (D, D), z2)).mean()
  log_x = float(m['log_likelihood'])
  log_p2 = log_q - log_p1 - float(m['kl'])
  np.testing.assert_allclose(
      m['loss'], -.5 * (1 + b) * (log_x + log_p1 + b * log_p2), rtol=1e-4)


def test_validation_is_behind_the_warm_up():
  s, variables = build(warm_up=1), initial()
  valid = jax.jit(s.valid)(variables, X, jax.random.key(1))
  np.testing.assert_allclose(
      valid, metrics_of(s, variables, step=10)['loss'], rtol=1e-6)
  assert abs(valid - metrics_of(s, variables, step=9)['loss']) > .1


@pytest.mark.parametrize('draw', [False, True])
def test_score_function_term(draw, monkeypatch):
  """At the mean of a Bernoulli law the gradient of log p(x | z) is zero."""
  s, variables = build(draw=draw), initial()
  whole = making.gradient(s, variables, X)
  plain = losses.decoder_mim
  monkeypatch.setattr(
      losses, 'decoder_mim',
      lambda *args, reinforce, **options: plain(*args, **options))
  without = making.gradient(s, variables, X)
  gaps = jax.tree.leaves(jax.tree.map(
      lambda a, b: jnp.abs(a - b).max(), whole, without))
  assert max(gaps) > .1 if draw else max(gaps) < 1e-5


@pytest.mark.parametrize('likelihood', ['bernoulli', 'gaussian'])
def test_gradient_through_the_images(likelihood, monkeypatch):
  """The gradient of log q(z | x) alone; it reaches the decoder through x."""
  monkeypatch.setattr(losses, 'a_mim', lambda log_x, *_, **__: 0 * log_x)
  monkeypatch.setattr(
      losses, 'decoder_mim', lambda log_x, log_p, log_q, **_: log_q)
  g = making.gradient(
      build(likelihood=likelihood), initial(likelihood=likelihood), X)
  assert (max(jnp.abs(leaf).max() for leaf in jax.tree.leaves(
      g['model']['decoder'])) > 1e-3) == (likelihood == 'gaussian')
