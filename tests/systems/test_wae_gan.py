import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import errors, priors
from swae_jax.networks import NETWORKS
from swae_jax.systems import SYSTEMS, base

N, D, SHAPE = 6, 3, (2, 3, 1)
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(N, *SHAPE)).astype('float32')
Z = RNG.normal(size=(N, D)).astype('float32')


def fixed(key, n, d, *, scale=1.):
  del key, n, d
  return scale * jnp.asarray(Z)


def build(prior=fixed, **options):
  return SYSTEMS['wae_gan'](
      NETWORKS['mlp'](SHAPE, hidden=8), prior, base.Spec(SHAPE, True, 10), D,
      width=8, depth=2, **options)


@functools.cache
def initial():
  """Variables, of a critic that has an opinion."""
  variables = build().init(jax.random.key(0), X)
  loud = jax.tree.map(lambda p: 50 * p, variables.params['critic'])
  return variables._replace(params={**variables.params, 'critic': loud})


def critic(params, z, xp=np):
  """Two layers with ReLU and a linear one.  [B, D] -> [B]."""
  for i in range(3):
    layer = params[f'Dense_{i}']
    z = z @ layer['kernel'] + layer['bias'][None]
    z = xp.maximum(z, 0) if i < 2 else z
  return z[:, 0]


def log_normal(z, variance):
  return np.array([sum(
      -a**2 / (2 * variance) - .5 * math.log(2 * math.pi * variance)
      for a in row) for row in np.float64(z)])


@pytest.mark.parametrize('trick, variance, scale, weight', [
    ('off', 1., 1., 10.), ('fixed', 1., .05, 3.), ('fixed', 2.25, 1., 3.)])
def test_loss(trick, variance, scale, weight, monkeypatch):
  """Algorithm 1, sample by sample, in float64."""
  monkeypatch.setattr(priors, 'normal', fixed)
  prior = functools.partial(priors.normal, scale=variance**.5)
  o = build(prior, gan_p_trick=trick, prior_variance=variance, weight=weight,
            reconstruction_scale=scale)
  variables = initial()
  loss, (_, metrics) = jax.jit(o.loss)(variables, X, jax.random.key(1), 0)
  params = jax.tree.map(np.float64, variables.params['critic'])
  z, z_prior = np.float64(o.encode(variables, X)), np.float64(Z) * variance**.5
  h, h_prior = critic(params, z), critic(params, z_prior)
  assert h.shape == (N,) and np.ptp(h) > .1
  if trick == 'fixed':
    h = h + log_normal(z, variance)
    h_prior = h_prior + log_normal(z_prior, variance)
  log_d = lambda h: -math.log1p(math.exp(-h))
  penalty = -sum(log_d(a) for a in h) / N
  game = -sum(log_d(a) + log_d(-b)
              for a, b in zip(h_prior, h, strict=True)) / N
  error = np.sum((np.float64(X) - o.decode(variables, z))**2) / N
  np.testing.assert_allclose(metrics['penalty'], penalty, rtol=1e-5)
  np.testing.assert_allclose(metrics['critic'], game, rtol=1e-5)
  np.testing.assert_allclose(
      loss, scale * error + weight * (penalty + game), rtol=1e-5)


def test_one_gradient_is_that_of_each_player():
  """Of the model's own loss by the model, of the critic's by the critic."""
  o, weight = build(weight=3.), 3.
  variables = initial()

  def model_loss(model):
    v = variables._replace(params={'model': model})
    z = o.encode(v, X)
    h = critic(variables.params['critic'], z, jnp)
    error = jnp.sum((X - o.decode(v, z))**2) / N
    return error + weight * jnp.mean(jnp.log1p(jnp.exp(-h)))

  def critic_loss(params):
    h, h_prior = (critic(params, z, jnp) for z in (o.encode(variables, X), Z))
    return weight * jnp.mean(
        jnp.log1p(jnp.exp(-h_prior)) + jnp.log1p(jnp.exp(h)))

  found = jax.jit(jax.grad(lambda p: o.loss(
      variables._replace(params=p), X, jax.random.key(1), 0)[0]))(
          variables.params)
  expected = {'model': jax.jit(jax.grad(model_loss))(variables.params['model']),
              'critic': jax.jit(jax.grad(critic_loss))(
                  variables.params['critic'])}
  assert jax.tree.structure(found) == jax.tree.structure(expected)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(
      a, b, rtol=1e-3, atol=1e-5), found, expected)


def test_the_trick_needs_the_law_of_the_prior():
  with pytest.raises(errors.UserError, match='needs the prior normal'):
    build(priors.uniform, gan_p_trick='fixed')
  with pytest.raises(errors.UserError, match=r'scale 1\.41421'):
    build(priors.normal, gan_p_trick='fixed', prior_variance=2.)
  build(functools.partial(priors.normal, scale=1.41421), gan_p_trick='fixed',
        prior_variance=2.)
  with pytest.raises(errors.UserError, match='fixed, off'):
    build(gan_p_trick='on')
