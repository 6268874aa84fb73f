"""Each penalty against its formula, in float64 and sample by sample."""
import functools
import math

import jax
import jax.numpy as jnp
import making
import numpy as np
import pytest

from swae_jax import errors, priors
from swae_jax.systems import penalties

N, D, SHAPE = 6, 3, (2, 3, 1)
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(N, *SHAPE)).astype('float32')
Z = RNG.normal(size=(N, D)).astype('float32')


def scaled(scale):
  """The normal prior of a scale, with samples Z."""
  normal = priors.PRIORS['normal'](scale=scale)
  return normal._replace(sample=lambda key, n, d: scale * jnp.asarray(Z))


def build(penalty, prior=None, latents=D, penalty_options=None, **options):
  return making.system(
      'wae', SHAPE, latents, penalty=penalty, prior=prior or scaled(1.),
      penalty_options=penalty_options, **options)


KERNELS = {
    'imq': lambda c: lambda d2: c / (c + d2),
    'imq_multiscale': lambda c: lambda d2: sum(
        s * c / (s * c + d2) for s in (.1, .2, .5, 1, 2, 5, 10)),
    'rbf': lambda c: lambda d2: np.exp(-d2 / c)}


def algorithm_2(x, x_rec, codes, z, kernel, weight, scale):
  """Term by term."""
  k = lambda a, b: kernel(np.sum((np.float64(a) - b)**2))
  pairs = [(i, j) for i in range(N) for j in range(N)]
  within = lambda s: sum(
      k(s[i], s[j]) for i, j in pairs if i != j) / (N * (N - 1))
  between = sum(k(z[i], codes[j]) for i, j in pairs) / N**2
  error = sum(np.sum((np.float64(a) - b)**2)
              for a, b in zip(x, x_rec, strict=True)) / N
  return scale * error + weight * (
      within(z) + within(codes) - 2 * between)


@pytest.mark.parametrize('kernel', KERNELS)
@pytest.mark.parametrize('variance, factor, scale', [
    (1., 1., 1.), (2., 1., .05), (1., 3., 1.)])
def test_mmd(kernel, variance, factor, scale):
  s = build('mmd', scaled(variance**.5), weight=7., cost_scale=scale,
            penalty_options={'kernel': kernel, 'kernel_scale': factor})
  variables = s.init(jax.random.key(0), X)
  codes = s.encode(variables, X)
  loss, _ = making.loss(s, variables, X)
  reference = algorithm_2(
      X, s.decode(variables, codes), codes, Z * variance**.5,
      KERNELS[kernel](2 * D * variance * factor), 7., scale)
  np.testing.assert_allclose(loss, reference, rtol=1e-5, atol=1e-5)


def gan(scale=1., log_prior=False, **options):
  return build('gan', scaled(scale), penalty_options={
      'width': 8, 'depth': 2, 'log_prior': log_prior}, **options)


@functools.cache
def opinionated():
  """Variables, of a critic that has an opinion."""
  variables = gan().init(jax.random.key(0), X)
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


@pytest.mark.parametrize('log_prior, variance, scale, weight', [
    (False, 1., 1., 10.), (True, 1., .05, 3.), (True, 2.25, 1., 3.)])
def test_gan(log_prior, variance, scale, weight):
  """Algorithm 1."""
  s = gan(variance**.5, log_prior, weight=weight, cost_scale=scale)
  variables = opinionated()
  loss, metrics = making.loss(s, variables, X)
  params = jax.tree.map(np.float64, variables.params['critic'])
  z, z_prior = np.float64(s.encode(variables, X)), np.float64(Z) * variance**.5
  h, h_prior = critic(params, z), critic(params, z_prior)
  assert h.shape == (N,) and np.ptp(h) > .1
  if log_prior:
    h = h + log_normal(z, variance)
    h_prior = h_prior + log_normal(z_prior, variance)
  log_d = lambda h: -math.log1p(math.exp(-h))
  penalty = -sum(log_d(a) for a in h) / N
  game = -sum(log_d(a) + log_d(-b)
              for a, b in zip(h_prior, h, strict=True)) / N
  error = np.sum((np.float64(X) - s.decode(variables, z))**2) / N
  np.testing.assert_allclose(metrics['penalty'], penalty, rtol=1e-5)
  np.testing.assert_allclose(metrics['critic'], game, rtol=1e-5)
  np.testing.assert_allclose(
      loss, scale * error + weight * (penalty + game), rtol=1e-5)


def test_one_gradient_is_that_of_each_player():
  """The model follows its own loss, and the critic its own."""
  s, weight, variables = gan(weight=3.), 3., opinionated()

  def model_loss(model):
    v = variables._replace(params={'model': model})
    z = s.encode(v, X)
    h = critic(variables.params['critic'], z, jnp)
    error = jnp.sum((X - s.decode(v, z))**2) / N
    return error + weight * jnp.mean(jnp.log1p(jnp.exp(-h)))

  def critic_loss(params):
    h, h_prior = (critic(params, z, jnp) for z in (s.encode(variables, X), Z))
    return weight * jnp.mean(
        jnp.log1p(jnp.exp(-h_prior)) + jnp.log1p(jnp.exp(h)))

  found = making.gradient(s, variables, X)
  expected = {
      player: jax.jit(jax.grad(fn))(variables.params[player])
      for player, fn in (('model', model_loss), ('critic', critic_loss))}
  assert jax.tree.structure(found) == jax.tree.structure(expected)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(
      a, b, rtol=1e-3, atol=1e-5), found, expected)


def test_log_prior_needs_a_density():
  with pytest.raises(errors.UserError, match='prior.name=normal'):
    build('gan', making.fixed(Z), penalty_options={'log_prior': True})


@pytest.mark.parametrize('penalty, metric', [
    ('sliced', 'sliced_wasserstein'), ('max_sliced', 'max_sliced_wasserstein')])
@pytest.mark.parametrize('p', [1, 2, 3])
def test_sliced_penalties_on_a_line(penalty, metric, p):
  """With one axis every direction is 1 or -1, and the distance is one sum."""
  z = RNG.uniform(-1, 1, size=(N, 1)).astype('float32')
  s = build(penalty, making.fixed(z), 1, penalty_options={'p': p})
  variables = s.init(jax.random.key(0), X)
  _, metrics = making.loss(s, variables, X)
  gap = np.sort(np.float64(s.encode(variables, X)), axis=0) - np.sort(z, axis=0)
  np.testing.assert_allclose(metrics[metric], np.mean(abs(gap)**p), rtol=1e-4)


def test_the_worst_direction_is_worse_than_the_mean_one():
  # Codes and prior differ along one axis alone.
  z, z_prior = Z, Z + np.float32([2., 0., 0.])
  key = jax.random.key(0)
  value = lambda name: next(iter(penalties.PENALTIES[name](
      making.fixed(z_prior), D).terms({}, z, z_prior, key).values()))
  assert value('sliced') < 2 < value('max_sliced') <= 4.001


@pytest.mark.parametrize('latents, prior, differs', [
    (3, making.fixed(Z), True),
    (1, priors.PRIORS['uniform'](), True),
    # On a line directions do not matter, so only the prior can differ.
    (1, making.fixed(Z[:, :1]), False)])
def test_directions_and_prior_are_drawn_at_each_step(latents, prior, differs):
  s = build('sliced', prior, latents)
  variables = s.init(jax.random.key(0), X)
  one, two = (making.loss(s, variables, X, seed)[0] for seed in (1, 2))
  assert (abs(one - two) > 1e-3) == differs


def test_more_projections_vary_less():
  def spread(projections):
    s = build('sliced', making.fixed(np.ones((N, 3), 'float32')), 3,
              penalty_options={'projections': projections})
    variables = s.init(jax.random.key(0), X)
    keys = jax.random.split(jax.random.key(1), 50)
    loss = lambda key: s.loss(variables, X, key, 0)[0]
    return jnp.std(jax.jit(jax.vmap(loss))(keys))
  assert spread(50) < .4 * spread(2)  # A fifth is expected.


@pytest.mark.parametrize('latents, prior', [
    (2, 'ring'), (2, 'uniform'), (2, 'disc'), (2, 'bowl'), (2, 'normal'),
    (128, 'uniform')])
def test_priors_of_the_sliced_paper(latents, prior):
  s = build('sliced', priors.PRIORS[prior](), latents, cost='bce_l1')
  variables = s.init(jax.random.key(0), X)
  loss, _ = making.loss(s, variables, X)
  z = s.sample(variables, jax.random.key(0), 5)
  assert np.isfinite(loss) and z.shape == (5, latents)
