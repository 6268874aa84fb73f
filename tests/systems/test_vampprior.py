import functools
import math

import jax
import jax.numpy as jnp
import making
import numpy as np
import pytest

from swae_jax import errors
from swae_jax.networks import NETWORKS

B, D, K, SHAPE = 6, 3, 5, (2, 3, 1)
STILL = {'logvar_min': -80., 'logvar_max': -80.}  # z is then the mean.
RNG = np.random.default_rng(0)
X = RNG.integers(2, size=(B, *SHAPE)).astype('float32')
U = RNG.uniform(size=(K, *SHAPE)).astype('float32')
NETWORK = NETWORKS['mlp'](SHAPE, hidden=8)


def build(levels=1, **options):
  return making.system('vampprior', SHAPE, D, levels=levels, **{
      'network': NETWORK, 'binary': True, 'components': K, **options})


@functools.cache
def initial(levels):
  return build(levels).init(jax.random.key(0), X[:K])


def start(levels, u=U):
  """Parameters none of which is 0."""
  variables = initial(levels)
  model = jax.tree.map(lambda p: p + .05, variables.params['model'])
  return variables._replace(
      params={'model': {**model, 'pseudo_inputs': jnp.asarray(u)}})


def law(variables, name, *inputs):
  """Mean and log-variance that a network of two heads gives, in float64."""
  maker = {'encoder': NETWORK.encoder,
           'joint_encoder': NETWORK.hierarchy.encoder,
           'conditional': NETWORK.hierarchy.conditional}[name]
  params = variables.params['model'][name]
  mean, logvar = maker(D, D).apply({'params': params}, *inputs)
  return np.float64(mean), np.float64(logvar).clip(-6, 2)


def log_image(variables, x, codes):
  params = variables.params['model']['decoder']
  logits, = NETWORK.hierarchy.decoder(1).apply({'params': params}, *codes)
  p = 1 / (1 + np.exp(-np.float64(logits)))
  return np.log(np.where(x == 1, p, 1 - p)).reshape(len(x), -1).sum(1)


def log_normal(z, mean, logvar):
  """Number by number."""
  return np.array([sum(
      -.5 * ((a - m)**2 / math.exp(v) + v + math.log(2 * math.pi))
      for a, m, v in zip(*row, strict=True))
      for row in zip(np.float64(z), mean, logvar, strict=True)])


def log_mixture(variables, z, u=U):
  """The mixture of the posteriors of the pseudo-inputs, by a loop."""
  means, logvars = law(variables, 'encoder', u)
  ones = np.ones((len(z), 1))
  return np.log(np.mean([
      np.exp(log_normal(z, ones * m[None], ones * v[None]))
      for m, v in zip(means, logvars, strict=True)], axis=0))


def densities(variables, levels, x, z):
  """log p(x | z), log p(z) and log q(z | x), term by term."""
  if levels == 1:
    return (log_image(variables, x, [z]), log_mixture(variables, z),
            log_normal(z, *law(variables, 'encoder', x)))
  z1, z2 = z[:, :D], z[:, D:]
  return (
      log_image(variables, x, [z1, z2]),
      log_normal(z1, *law(variables, 'conditional', z2))
      + log_mixture(variables, z2),
      log_normal(z1, *law(variables, 'joint_encoder', x, z2))
      + log_normal(z2, *law(variables, 'encoder', x)))


@pytest.mark.parametrize('levels', [1, 2])
def test_loss_and_log_weight(levels):
  s, variables, key = build(levels), start(levels), jax.random.key(1)
  z = jax.jit(s.encode)(variables, X, key)
  assert z.shape == (B, levels * D)
  log_x, log_p, log_q = densities(variables, levels, X, z)
  np.testing.assert_allclose(
      jax.jit(s.log_weight)(variables, X, key), log_x + log_p - log_q,
      rtol=1e-5)
  loss, (_, m) = jax.jit(s.loss)(variables, X, key, 0)
  np.testing.assert_allclose(loss, -np.mean(log_x + log_p - log_q), rtol=1e-5)
  np.testing.assert_allclose(m['log_likelihood'], log_x.mean(), rtol=1e-5)
  np.testing.assert_allclose(m['kl'], (log_q - log_p).mean(), rtol=1e-4)


def test_mean_codes_of_two_levels():
  s, variables = build(2), start(2)
  z2, _ = law(variables, 'encoder', X)
  z1, _ = law(variables, 'joint_encoder', X, z2)
  z = jax.jit(s.encode)(variables, X)
  np.testing.assert_allclose(z, np.concatenate([z1, z2], 1), rtol=1e-4,
                             atol=1e-5)
  params = variables.params['model']['decoder']
  logits, = NETWORK.hierarchy.decoder(1).apply({'params': params}, z1, z2)
  np.testing.assert_allclose(
      jax.jit(s.decode)(variables, z), jax.nn.sigmoid(logits), rtol=1e-4)


@pytest.mark.parametrize('levels', [1, 2])
def test_every_pseudo_input_moves(levels):
  s, variables = build(levels), start(levels)
  g = making.gradient(s, variables, X)['model']['pseudo_inputs']
  assert np.all(np.any(g.reshape(K, -1), axis=1))


def test_pseudo_inputs_outside_the_range_are_clipped_and_still():
  outside = U.copy()
  outside[:, 0, 0] -= 2
  outside[:, 1, 1] += 2
  key = jax.random.key(1)
  def loss(s, u):
    variables = start(1)
    def fn(u):
      model = {**variables.params['model'], 'pseudo_inputs': u}
      return s.loss(variables._replace(params={'model': model}), X, key, 0)[0]
    return jax.jit(jax.value_and_grad(fn))(u)
  value, g = loss(build(), outside)
  np.testing.assert_allclose(
      value, loss(build(), outside.clip(0, 1))[0], rtol=1e-6)
  assert not g[:, 0, 0].any() and not g[:, 1, 1].any() and g[:, 0, 1].all()
  free = build(bounded=False, likelihood='gaussian')
  value, g = loss(free, outside)
  assert abs(value - loss(free, outside.clip(0, 1))[0]) > 1e-4
  assert g[:, 0, 0].all()


def test_every_pseudo_input_is_sampled_alike():
  s, n, variables = build(**STILL), 4000, start(1)
  z = jax.jit(s.sample, static_argnums=2)(variables, jax.random.key(3), n)
  means, _ = law(variables, 'encoder', U)
  distance = np.sum((np.asarray(z)[:, None] - means[None])**2, axis=2)
  assert distance.min(axis=1).max() < 1e-8
  counts = np.bincount(distance.argmin(axis=1), minlength=K)
  chi2 = np.sum((counts - n / K)**2 / (n / K))
  # Once in a thousand 4 degrees of freedom exceed it, or are as even as that.
  assert .09 < chi2 < 18.5


def test_samples_have_the_density_of_the_loss():
  """E over p of f is E over any r of f p / r: of all f the first moments."""
  s, variables = build(), start(1)
  z = jax.jit(s.sample, static_argnums=2)(variables, jax.random.key(3), 20000)
  r = 3 * np.random.default_rng(0).normal(size=(20000, D))
  w = np.exp(log_mixture(variables, r)
             - log_normal(r, 0 * r, np.full(r.shape, 2 * math.log(3))))
  np.testing.assert_allclose(w.mean(), 1, rtol=.1)
  for f in (lambda z: z, lambda z: z**2):
    np.testing.assert_allclose(
        f(np.asarray(z)).mean(0), (w[:, None] * f(r)).mean(0), atol=.1)


def test_samples_of_two_levels():
  """z2 is that of one level, and z1 has its mean and variance given z2."""
  s, n = build(2, logvar_min=-1., logvar_max=-1.), 4000
  variables = start(2, np.repeat(U[:1], K, 0))
  z = jax.jit(s.sample, static_argnums=2)(variables, jax.random.key(3), n)
  assert z.shape == (n, 2 * D)
  z1, z2 = np.split(np.asarray(z), 2, axis=1)
  mean, _ = law(variables, 'encoder', U[:1])
  np.testing.assert_allclose(z2.mean(0), mean[0], atol=.05)
  np.testing.assert_allclose(np.cov(z2.T), np.exp(-1) * np.eye(D), atol=.05)
  mean, _ = law(variables, 'conditional', z2)
  both = np.cov((z1 - mean).T, z2.T)
  np.testing.assert_allclose(both, np.exp(-1) * np.eye(2 * D), atol=.05)


def test_two_levels_need_a_network_that_has_them():
  with pytest.raises(errors.UserError, match='gated_conv or mlp, or levels=1'):
    build(2, network=NETWORK._replace(hierarchy=None))
