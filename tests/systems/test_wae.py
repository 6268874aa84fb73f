"""The system wae, with each of its penalties."""
import functools
import json
import math
import pathlib

import jax
import jax.numpy as jnp
import making
import numpy as np
import pytest

from swae_jax import errors, networks, priors
from swae_jax.systems import base, wae

N, D, SHAPE = 6, 2, (2, 3, 1)
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(N, *SHAPE)).astype('float32')
MANY = RNG.uniform(size=(400, *SHAPE)).astype('float32')
Z = RNG.normal(size=(N, D)).astype('float32')
NETWORK = networks.NETWORKS['mlp'](SHAPE, hidden=16)
SMALL = {'gan': {'width': 8, 'depth': 1}}
PENALTIES = pytest.mark.parametrize('penalty', ['mmd', 'gan'])


def build(penalty='mmd', z=Z, **options):
  return making.system('wae', SHAPE, D, **{
      'network': NETWORK, 'prior': making.fixed(z), 'penalty': penalty,
      'penalty_options': SMALL.get(penalty), **options})


@functools.cache
def initial(penalty='mmd', encoder='deterministic'):
  return build(penalty, encoder=encoder).init(jax.random.key(0), X)


def reconstructions(s, variables, n):
  """The errors that the loss finds with n keys.  [n]."""
  one = lambda key: s.loss(variables, X, key, 0)[1][1]['reconstruction']
  return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(1), n))


@pytest.mark.parametrize('bounded', [True, False])
@pytest.mark.parametrize('cost', wae.COSTS)
def test_cost(cost, bounded):
  if cost == 'bce_l1' and not bounded:
    with pytest.raises(errors.UserError, match=r'\[0, 1\].*cost=squared'):
      build(cost=cost, bounded=bounded)
    return
  s = build(cost=cost, bounded=bounded)
  x, y = np.float64(X), np.float64(s.decode(
      initial(), s.encode(initial(), X)))
  gaps = (x - y).reshape(N, -1)
  expected = {
      'squared': lambda: np.sum(gaps**2, 1),
      'l2': lambda: np.linalg.norm(gaps, axis=1),
      'l1': lambda: np.sum(abs(gaps), 1),
      'bce_l1': lambda: np.mean(-x * np.log(y) - (1 - x) * np.log(1 - y)
                                + abs(x - y), (1, 2, 3))}[cost]()
  _, metrics = making.loss(s, initial(), X)
  np.testing.assert_allclose(
      metrics['reconstruction'], expected.mean(), rtol=1e-5)


@pytest.mark.parametrize('epoch, factor', [
    (0, 1), (9, 1), (10, 1), (11, 1.1), (12, 1.21), (30, 1.1**20)])
def test_growth_of_the_weight(epoch, factor):
  """At the first and at the last of the 10 steps of an epoch."""
  s = build(weight=3., growth=1.1, growth_from=10)
  for step in (10 * epoch, 10 * epoch + 9):
    value, m = making.loss(s, initial(), X, step=jnp.int32(step))
    np.testing.assert_allclose(
        value, m['reconstruction'] + 3 * factor * m['mmd'], rtol=1e-5)


@PENALTIES
def test_random_encoder(penalty):
  s, n = build(penalty, encoder='gaussian'), 4000
  variables = initial(penalty, 'gaussian')
  mean, logvar = NETWORK.encoder(D, D).apply(
      {'params': variables.params['model']['encoder']}, X)
  np.testing.assert_allclose(s.encode(variables, X), mean, rtol=1e-5)
  keys = jax.random.split(jax.random.key(0), n)
  draws = jax.jit(jax.vmap(lambda key: s.encode(variables, X, key)))(keys)
  std = np.exp(logvar / 2)
  np.testing.assert_allclose(draws.mean(0), mean, atol=5 * std.max() / n**.5)
  np.testing.assert_allclose(draws.std(0), std, rtol=.06)
  # The loss decodes such draws.
  z = mean[None] + std[None] * RNG.normal(size=(n, N, D)).astype('float32')
  images = jax.jit(jax.vmap(lambda z: s.decode(variables, z)))(z)
  error = np.sum((np.float64(images) - X)**2, axis=(1, 2, 3, 4)).mean() / N
  found = reconstructions(s, variables, n)
  assert np.std(found) > 1e-3
  np.testing.assert_allclose(found.mean(), error, rtol=.02)


@PENALTIES
def test_input_noise_is_in_the_loss_alone(penalty):
  variables = initial(penalty)
  noisy = build(penalty, input_noise=.3)
  assert np.ptp(reconstructions(build(penalty), variables, 9)) < 1e-6
  assert np.ptp(reconstructions(noisy, variables, 9)) > 1e-4
  for key in (None, jax.random.key(0)):
    np.testing.assert_array_equal(
        noisy.encode(variables, X, key), build(penalty).encode(variables, X))


def test_the_image_to_reconstruct_has_no_noise():
  """An encoder that looks at nothing does not see the noise either."""
  s, variables = build(input_noise=.3), initial()
  blind = jax.tree.map(jnp.zeros_like, variables.params['model']['encoder'])
  variables = variables._replace(
      params={'model': {**variables.params['model'], 'encoder': blind}})
  assert np.ptp(reconstructions(s, variables, 9)) < 1e-6


def test_noise_is_cut_off_at_two_deviations():
  noise = wae.noisy(jax.random.key(0), jnp.zeros((20000,)), .01)
  assert .0199 < abs(noise).max() <= .02
  np.testing.assert_allclose(noise.std(), .0088, rtol=.02)  # of that law
  assert abs(noise.mean()) < 5e-4


def test_mismatch():
  a, b = RNG.normal(size=(7, D)) + 3, 2 * RNG.normal(size=(9, D))
  reference = (np.mean((a.mean(0) - b.mean(0))**2)
               + np.mean((np.cov(a.T) - np.cov(b.T))**2))
  np.testing.assert_allclose(wae.mismatch(*map(jnp.asarray, (a, b))),
                             reference, rtol=1e-5)


AWAY = priors.Prior(
    lambda key, n, d: 2 + jax.random.normal(key, (n, d)), None, lambda d: 1.)


@functools.cache
def started(penalty, steps, prior=AWAY):
  """The system, its start, and the same start once more."""
  s = build(penalty, prior=prior, pretrain_steps=steps,
            pretrain_examples=len(MANY))
  assert s.examples == (len(MANY) if steps else 1)
  init = jax.jit(s.init)
  return s, *(init(jax.random.key(0), MANY) for _ in range(2))


def test_pretraining_brings_mean_and_covariance_near():
  def gap(steps):
    s, variables, _ = started('mmd', steps)
    z = np.float64(s.encode(variables, MANY))
    return (np.mean((z.mean(0) - 2)**2)
            + np.mean((np.cov(z.T) - np.eye(D))**2))
  assert gap(0) > 2 and gap(1000) < .2


def moved(penalty, steps, prior=AWAY, part='encoder'):
  """The farthest that pre-training moves a number of this part."""
  before, after = (v[1].params['model'][part] for v in (
      started(penalty, 0), started(penalty, steps, prior)))
  return max(jax.tree.leaves(jax.tree.map(
      lambda a, b: abs(a - b).max(), before, after)))


def test_pretraining_takes_no_more_steps_than_it_may():
  """Each of the first steps of Adam is about as long as its rate."""
  assert 1.9e-3 < moved('mmd', 2) < 2.1e-3


def test_pretraining_stops_when_it_is_near():
  s, variables, _ = started('mmd', 0)
  there = making.fixed(s.encode(variables, MANY))
  assert moved('mmd', 1000, there) < 1.1e-3


def test_pretraining_is_of_the_encoder_and_a_function_of_the_key():
  assert moved('gan', 20) > 1e-2
  assert moved('gan', 20, part='decoder') == 0
  jax.tree.map(np.testing.assert_array_equal, *started('gan', 20)[1:])


# wae_before.json was made at commit 09e213b, the last one in which wae_mmd,
# wae_gan and sliced were three systems.  There as here jax.random draws numbers
# that depend on the shape alone, so keys do not matter, and parameters depend
# on their names alone.  It holds the loss, the metrics, and for each parameter
# the sum of its gradient and of the square of its gradient, in float64.
BEFORE = json.loads(pathlib.Path(__file__).with_name(
    'wae_before.json').read_text())
WIDE = {'scale': 2.}
CASES = {  # penalty, its options, options of wae, prior, its options
    'mmd': ('mmd', {}, {}, 'normal', {}),
    'mmd_multiscale_scaled': (
        'mmd', {'kernel': 'imq_multiscale'},
        {'weight': 100., 'cost_scale': .2, 'input_noise': .01}, 'normal', {}),
    'mmd_rbf_wide_prior': (
        'mmd', {'kernel': 'rbf'}, {'encoder': 'gaussian'}, 'normal', WIDE),
    'gan': ('gan', {'width': 16, 'depth': 2}, {}, 'normal', {}),
    'gan_fixed': (
        'gan', {'width': 16, 'depth': 1, 'log_prior': True},
        {'weight': 3., 'input_noise': .1}, 'normal', WIDE),
    'sliced': ('sliced', {}, {'cost': 'bce_l1'}, 'ring', {}),
    'sliced_grown_squared': (
        'sliced', {'projections': 7, 'p': 1.5}, {'growth': 1.1, 'weight': 2.},
        'uniform', {})}


def still(low, high):
  """A function of jax.random that draws the same numbers for a shape."""
  def draw(key, *args, shape=None, minval=low, maxval=high, **options):
    del key, options
    shape = next(a for a in (shape, *args) if isinstance(a, tuple))
    rng = np.random.default_rng(sum(shape) + len(shape))
    return jnp.asarray(rng.uniform(minval, maxval, shape))
  return draw


def named(tree):
  return {jax.tree_util.keystr(path, simple=True, separator='/'): leaf
          for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


@pytest.mark.parametrize('case', CASES)
def test_the_joined_system_has_the_numbers_of_the_three(case, monkeypatch):
  monkeypatch.setattr(jax.random, 'normal', still(-1.5, 1.5))
  monkeypatch.setattr(jax.random, 'truncated_normal', still(-2., 2.))
  monkeypatch.setattr(jax.random, 'uniform', still(0., 1.))
  penalty, penalty_options, options, prior, prior_options = CASES[case]
  shape, step = (4, 4, 1), 26
  with jax.enable_x64(True):
    s = making.system(
        'wae', shape, 3, network=networks.NETWORKS['mlp'](shape, hidden=5),
        prior=priors.PRIORS[prior](**prior_options), penalty=penalty,
        penalty_options=penalty_options, steps_per_epoch=2, **options)
    x = jnp.asarray(np.random.default_rng(0).uniform(size=(6, *shape)))
    like = jax.eval_shape(s.init, jax.random.key(0), x[:2])
    params = jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.asarray(.3 * np.random.default_rng(list(
            jax.tree_util.keystr(path, simple=True, separator='/').encode()
        )).normal(size=leaf.shape)), like.params)
    (value, (_, metrics)), grads = jax.value_and_grad(
        lambda p: s.loss(base.Variables(p, {}), x, jax.random.key(1), step),
        has_aux=True)(params)
  assert value.dtype == jnp.float64 and math.isfinite(value)
  grads = {name: np.asarray(g) for name, g in named(grads).items()}
  found = {'loss': value, 'metrics': metrics, 'gradient': {
      name: [g.sum(), (g**2).sum()] for name, g in grads.items()}}
  before, found = named(BEFORE[case]), named(found)
  assert before.keys() == found.keys()
  for name, expected in before.items():
    np.testing.assert_allclose(
        found[name], expected, rtol=1e-10, atol=1e-13, err_msg=name)
