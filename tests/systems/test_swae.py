import functools

from flax import linen as nn
import jax
import jax.numpy as jnp
import making
import numpy as np
import pytest

from swae_jax import errors
from swae_jax.networks import NETWORKS
from swae_jax.networks import base as networks_base

B, D, K, SHAPE = 8, 3, 5, (2, 3, 1)
STILL = {'logvar_min': -80., 'logvar_max': -80.}  # z is then the mean.
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(B, *SHAPE)).astype('float32')
# Dim and bright ones: near by distance, by cosine and by code differ.
U = (RNG.uniform(size=(K, *SHAPE)) * np.linspace(.3, 1, K)[:, None, None, None]
     ).astype('float32')
NETWORK = NETWORKS['mlp'](SHAPE, hidden=8)


def build(system='swae', **options):
  return making.system(system, SHAPE, D, **{
      'network': NETWORK, 'components': K, **options})


def with_inputs(variables, u):
  return variables._replace(params={
      'model': {**variables.params['model'], 'pseudo_inputs': jnp.asarray(u)}})


@functools.cache
def initial(network):
  return build(network=network).init(jax.random.key(0), X[:K])


def start(u=U, network=NETWORK):
  return with_inputs(initial(network), u)


def prior_mean(variables, u):
  params = variables.params['model']['conditional']
  return NETWORK.encoder(D, D).apply({'params': params}, u)[0]


def gradient(s, variables, x=X):
  return making.gradient(s, variables, x)['model']


def loss_of(s, variables):
  return making.loss(s, variables, X)[0]


def closest(s, variables, similarity):
  """By loops, in float64."""
  flat = lambda a: np.float64(a).reshape(len(a), -1)
  x, u = flat(X), flat(U)
  if similarity == 'latent':
    x, u = flat(s.encode(variables, X)), flat(s.encode(variables, U))
  cost = lambda a, b: np.sum((a - b)**2)
  if similarity == 'cosine':
    cost = lambda a, b: -a @ b / np.sqrt((a @ a) * (b @ b))
  return np.array([np.argmin([cost(a, b) for b in u]) for a in x])


@pytest.mark.parametrize('similarity, alpha, beta, p', [
    ('l2', 1., .5, 2), ('cosine', 2., 0., 2), ('latent', .5, 1., 2),
    ('l2', 1., .2, 1)])
def test_loss(similarity, alpha, beta, p):
  s = build(alpha=alpha, beta=beta, p=p, similarity=similarity, **STILL)
  variables = start()
  k = closest(s, variables, similarity)
  z_enc, z_prior = s.encode(variables, X), prior_mean(variables, U[k])
  error = lambda a, b: np.mean(np.sum(
      abs(np.float64(a) - b).reshape(B, -1)**p, axis=1))
  x_loss = error(X, s.decode(variables, z_prior))
  reconstruction = error(X, s.decode(variables, z_enc))
  z_loss = error(z_enc, z_prior)
  loss, metrics = making.loss(s, variables, X)
  np.testing.assert_allclose(
      loss, beta * x_loss + (1 - beta) * reconstruction + alpha * z_loss,
      rtol=1e-5)
  np.testing.assert_allclose(metrics['z_loss'], z_loss, rtol=1e-4)
  np.testing.assert_allclose(
      metrics['distinct_components'], len(set(k)) / K, rtol=1e-6)


def test_similarities_differ_here():
  s = build()
  k = [tuple(closest(s, start(), how))
       for how in ('l2', 'cosine', 'latent')]
  assert len(set(k)) == 3


def test_loss_of_an_image_does_not_depend_on_the_batch():
  s = build(**STILL)
  variables = start()
  loss = lambda x: jax.jit(s.loss)(variables, x, jax.random.key(1), 0)[0]
  np.testing.assert_allclose(
      loss(X), (2 * loss(X[:2]) + 6 * loss(X[2:])) / 8, rtol=1e-5)


def test_pseudo_inputs_outside_the_range_are_clipped_and_still():
  s = build(**STILL)
  outside = U.copy()
  outside[:, 0, 0] -= 2
  outside[:, 1, 1] += 2
  inside = start(outside.clip(0, 1))
  variables = with_inputs(inside, outside)
  np.testing.assert_allclose(
      loss_of(s, variables), loss_of(s, inside), rtol=1e-6)
  g = gradient(s, variables)['pseudo_inputs']
  assert not g[:, 0, 0].any() and not g[:, 1, 1].any()
  free = build(bounded=False, **STILL)
  assert abs(loss_of(free, variables) - loss_of(free, inside)) > 1e-2
  assert gradient(free, variables)['pseudo_inputs'][:, 0, 0].any()


@pytest.mark.parametrize('similarity', ['l2', 'cosine', 'latent'])
def test_only_chosen_pseudo_inputs_move(similarity):
  s = build(similarity=similarity)
  variables = start()
  chosen = set(closest(s, variables, similarity)[:2])
  g = gradient(s, variables, X[:2])['pseudo_inputs']
  assert {int(k) for k in range(K) if g[k].any()} == chosen


def test_nothing_of_the_search_reaches_the_encoder():
  """With beta 1 and alpha 0 only the search would use it."""
  g = gradient(build(similarity='latent', beta=1., alpha=0.), start())
  assert not any(leaf.any() for leaf in jax.tree.leaves(g['encoder']))
  assert all(leaf.any() for leaf in jax.tree.leaves(g['conditional']))


@pytest.mark.parametrize('system', ['swae', 'vampprior', 'mim'])
def test_start_at_data(system):
  s = build(system)
  assert s.examples == K
  u = s.init(jax.random.key(0), X[:K]).params['model']['pseudo_inputs']
  noise = u - X[:K]  # In the order of the file.
  assert abs(noise).max() < .05 and .005 < noise.std() < .015
  still = build(system, start_std=0.).init(jax.random.key(0), X[:K])
  np.testing.assert_array_equal(
      still.params['model']['pseudo_inputs'], X[:K])


@pytest.mark.parametrize('system', ['swae', 'vampprior', 'mim'])
def test_start_at_noise(system):
  s = build(system, start='noise', components=400, start_mean=.4, start_std=.05)
  assert s.examples == 1
  u = s.init(jax.random.key(0), X[:1]).params['model']['pseudo_inputs']
  assert u.shape == (400, *SHAPE)
  assert abs(u.mean() - .4) < .005 and abs(u.std() - .05) < .005


@pytest.mark.parametrize('options, said', [
    ({'components': 9}, 'components=9.*there are 8 .* start=noise'),
    ({'logvar_min': 3.}, 'logvar_min=3.0.*logvar_max=2.0'),
    ({'mean_floor': .1, 'bounded': False}, r'\[0, 1\]'),
    ({'cost': 'cross_entropy', 'bounded': False}, r'\[0, 1\].* power'),
    ({'cost': 'cross_entropy', 'mean_floor': .01}, 'mean_floor=0.01')])
def test_refusals(options, said):
  with pytest.raises(errors.UserError, match=said):
    build(**options).init(jax.random.key(0), X)


def test_every_pseudo_input_is_sampled_alike():
  s, n = build(**STILL), 4000
  variables = start()
  z = jax.jit(s.sample, static_argnums=2)(variables, jax.random.key(3), n)
  means = prior_mean(variables, U)
  distance = np.sum((np.asarray(z)[:, None] - means[None])**2, axis=2)
  assert distance.min(axis=1).max() < 1e-8
  counts = np.bincount(distance.argmin(axis=1), minlength=K)
  chi2 = np.sum((counts - n / K)**2 / (n / K))
  # Once in a thousand 4 degrees of freedom exceed it, or are as even as that.
  assert .09 < chi2 < 18.5


def test_sample_has_the_mean_and_variance_of_the_prior():
  s = build(components=1, logvar_min=-1., logvar_max=-1.)
  variables = start(U[:1])
  z = jax.jit(s.sample, static_argnums=2)(variables, jax.random.key(3), 4000)
  np.testing.assert_allclose(
      z.mean(0), prior_mean(variables, U[:1])[0], atol=.04)
  np.testing.assert_allclose(np.cov(z.T), np.exp(-1) * np.eye(D), atol=.04)


def test_noise_of_the_loss_has_the_variance_of_the_prior():
  """E |z_enc - z_prior|^2 = |z_enc - mean|^2 + D var."""
  loud = build(logvar_min=1., logvar_max=1.)
  variables = start()
  z_loss = lambda s: jax.jit(jax.vmap(lambda key: s.loss(
      variables, X, key, 0)[1][1]['z_loss']))(
          jax.random.split(jax.random.key(0), 300)).mean()
  np.testing.assert_allclose(
      z_loss(loud) - z_loss(build(**STILL)), D * np.exp(1), rtol=.05)


def test_clamp_is_reported():
  metrics = lambda s: making.loss(s, start(), X)[1]
  free = metrics(build())
  assert free['prior_clamped'] == 0 and abs(free['prior_logvar']) < 2
  held = metrics(build(logvar_min=1.5, logvar_max=1.6))
  assert held['prior_clamped'] > .5 and 1.5 <= held['prior_logvar'] < 1.6


def test_mean_floor():
  z = 1e3 * jnp.ones((2, D))
  s = build(mean_floor=1 / 512)
  images = s.decode(start(), z)
  np.testing.assert_allclose(images.min(), 1 / 512, rtol=1e-6)
  np.testing.assert_allclose(images.max(), 511 / 512, rtol=1e-6)
  assert build().decode(start(), z).min() < 1e-6


class Normalized(nn.Module):
  """Batch norm, then a linear layer for each output."""
  shapes: tuple

  @nn.compact
  def __call__(self, x, train=False):
    x = nn.BatchNorm(not train, momentum=.9)(x.reshape(len(x), -1))
    return tuple(nn.Dense(np.prod(s))(x).reshape(-1, *s) for s in self.shapes)


@pytest.mark.parametrize('similarity', ['l2', 'latent'])
def test_statistics_of_a_normalisation(similarity):
  """The decoder's are of both kinds of code, the encoder's of images alone."""
  network = networks_base.Network(
      lambda *widths: Normalized(tuple((w,) for w in widths)),
      lambda *channels: Normalized(tuple((*SHAPE[:2], c) for c in channels)))
  s = build(network=network, similarity=similarity, **STILL)
  variables = start(network=network)
  _, (stats, _) = jax.jit(s.loss)(variables, X, jax.random.key(1), 0)
  assert jax.tree.structure(stats) == jax.tree.structure(variables.stats)
  mean = lambda part: stats[part]['BatchNorm_0']['mean']
  np.testing.assert_allclose(
      mean('encoder'), .1 * X.reshape(B, -1).mean(0), rtol=1e-5)
  params = variables.params['model']
  spread = lambda v: (v - v.mean(0)) / np.sqrt(v.var(0) + 1e-5)
  head = lambda part, v: (
      spread(v.reshape(B, -1)) @ params[part]['Dense_0']['kernel']
      + params[part]['Dense_0']['bias'][None])
  k = closest(s, variables, similarity)
  codes = np.concatenate([head('encoder', X), head('conditional', U[k])])
  np.testing.assert_allclose(mean('decoder'), .1 * codes.mean(0), atol=1e-5)


@pytest.mark.parametrize('beta, p', [(.3, 2), (0., 1)])
def test_cross_entropy(beta, p):
  """By hand from the decoder's probabilities, in float64."""
  s = build(cost='cross_entropy', beta=beta, p=p, alpha=2., **STILL)
  variables = start()
  z_enc = s.encode(variables, X)
  z_prior = prior_mean(variables, U[closest(s, variables, 'l2')])
  def entropy(z):
    y, x = np.float64(s.decode(variables, z)), np.float64(X)
    return -np.sum(x * np.log(y) + (1 - x) * np.log(1 - y)) / B
  z_loss = np.sum(abs(np.float64(z_enc) - z_prior)**p) / B
  loss, metrics = making.loss(s, variables, X)
  np.testing.assert_allclose(metrics['x_loss'], entropy(z_prior), rtol=1e-5)
  np.testing.assert_allclose(
      loss, beta * entropy(z_prior) + (1 - beta) * entropy(z_enc)
      + 2 * z_loss, rtol=1e-5)


@functools.cache
def flowing():
  """A system with a flow, its first variables, and others that bend."""
  s = build(flow_layers=2)
  first = with_inputs(s.init(jax.random.key(0), X[:K]), U)
  params = first.params['model']
  bent = {**params, 'flow': jax.tree.map(lambda p: p + .3, params['flow'])}
  return s, first, first._replace(params={'model': bent})


def test_a_flow_starts_as_the_normal_prior():
  s, first, bent = flowing()
  plain = dict(first.params['model'])
  del plain['flow']
  plain = first._replace(params={'model': plain})
  draw = lambda s, v: jax.jit(s.sample, static_argnums=2)(
      v, jax.random.key(0), 20)
  np.testing.assert_allclose(draw(s, first), draw(build(), plain), atol=1e-6)
  np.testing.assert_allclose(
      loss_of(s, first), loss_of(build(), plain), rtol=1e-5)
  assert np.abs(draw(s, bent) - draw(s, first)).min(0).max() > .1
  assert abs(loss_of(s, bent) - loss_of(s, first)) > .1


def test_a_flow_learns_and_is_given_the_pseudo_input():
  s, _, bent = flowing()
  g = gradient(s, bent)
  assert all(leaf.any() for leaf in jax.tree.leaves(g['flow']))
  # Without noise and with the same mean subtracted, u_k alone tells them apart.
  still = build(flow_layers=2, **STILL)
  z = jax.jit(still.sample, static_argnums=2)(bent, jax.random.key(0), 50)
  shift = np.unique(np.round(np.asarray(z), 4), axis=0)
  assert len(shift) == K
  distance = np.sum((np.asarray(z)[:, None] - prior_mean(bent, U)[None])**2, 2)
  assert distance.min() > 1e-2  # All are bent away from their means.
