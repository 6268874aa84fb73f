"""What every system owes, whatever its networks."""
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import errors, priors
from swae_jax.networks import NETWORKS
from swae_jax.systems import SYSTEMS, base

B, D, SHAPE = 6, 3, (8, 8, 1)
OPTIONS = {
    'mim': {'components': 6}, 'swae': {'components': 6},
    'vampprior': {'components': 6}, 'wae_gan': {'depth': 1}}
GAUSSIAN = {'likelihood': 'gaussian'}
UNBOUNDED = {'mim': GAUSSIAN, 'sliced': {'cost': 'squared'}, 'vae': GAUSSIAN,
             'vampprior': GAUSSIAN}
NETWORK_OPTIONS = {'dcgan': {'filters': 8}}
SHAPES = {'dcgan': (28, 28, 1)}  # It takes no smaller ones.
LOUD = {'dcgan': 7.}  # It starts so small that float32 shows nothing.
STILL = {'ae'}  # Systems that draw nothing.
# Systems and networks do not know each other: every system with one network
# and every network with one system tell nearly all that the product does.
CASES = [
    pytest.param(system, network, marks=[] if network == 'mlp'
                 or system == 'swae' else pytest.mark.slow)
    for system in SYSTEMS for network in NETWORKS]

# A system and a prior know nothing of each other either.
PRIORS = [
    pytest.param(system, prior, marks=[] if prior == 'ring'
                 or system == 'sliced' else pytest.mark.slow)
    for system in SYSTEMS for prior in priors.PRIORS]


def data(n, network='mlp'):
  shape = SHAPES.get(network, SHAPE)
  rng = np.random.default_rng(0)
  return jnp.asarray(rng.uniform(size=(n, *shape)), jnp.float32)


def build(system, network='mlp', bounded=True, prior=priors.normal,
          **options):
  shape = SHAPES.get(network, SHAPE)
  return SYSTEMS[system](
      NETWORKS[network](shape, **NETWORK_OPTIONS.get(network, {})),
      prior, base.Spec(shape, bounded, 10), D,
      **OPTIONS.get(system, {}), **options)


@functools.cache
def made(system, network):
  """The system, its variables, its loss and gradient as one function."""
  o = build(system, network)
  variables = o.init(jax.random.key(0), data(o.examples, network))
  variables = variables._replace(params=jax.tree.map(
      lambda p: LOUD.get(network, 1.) * p, variables.params))

  @jax.jit
  def step(variables, x, key):
    loss = lambda p: o.loss(variables._replace(params=p), x, key, 0)
    return jax.value_and_grad(loss, has_aux=True)(variables.params)
  return o, variables, step


@pytest.mark.parametrize('system, network', CASES)
def test_loss(system, network):
  _, variables, step = made(system, network)
  (loss, (stats, metrics)), grads = step(
      variables, data(B, network), jax.random.key(1))
  assert loss.shape == () and jnp.isfinite(loss)
  assert metrics['loss'] == loss
  assert all(m.shape == () and jnp.isfinite(m) for m in metrics.values())
  assert jax.tree.structure(stats) == jax.tree.structure(variables.stats)
  assert jax.tree.structure(grads) == jax.tree.structure(variables.params)
  assert set(grads) <= {'model', 'critic'}
  # A parameter that nothing moves is not used, or its name is mistaken.
  for path, g in jax.tree.leaves_with_path(grads):
    assert jnp.isfinite(g).all() and jnp.any(g), jax.tree_util.keystr(path)


@pytest.mark.parametrize('system, network', CASES)
def test_all_randomness_is_in_the_key(system, network):
  _, variables, step = made(system, network)
  loss = lambda seed: step(
      variables, data(B, network), jax.random.key(seed))[0][0]
  assert loss(1) == loss(1)
  assert (loss(1) == loss(2)) == (system in STILL)


@pytest.mark.parametrize('system, network', CASES)
def test_codes_and_images(system, network):
  o, variables, _ = made(system, network)
  encode, decode = jax.jit(o.encode), jax.jit(o.decode)
  x = data(B, network)
  z = encode(variables, x)
  assert z.shape == (B, D)
  np.testing.assert_array_equal(z, encode(variables, x))
  assert encode(variables, x, jax.random.key(0)).shape == (B, D)
  images = decode(variables, z)
  assert images.shape == x.shape and 0 < images.min() < images.max() < 1
  # The statistics are frozen: an example does not see the others.
  np.testing.assert_allclose(encode(variables, x[:1]), z[:1], atol=1e-5)
  np.testing.assert_allclose(decode(variables, z[:1]), images[:1], atol=1e-5)


@pytest.mark.parametrize('system, network', CASES)
def test_sample_gives_as_many_as_asked(system, network):
  o, variables, _ = made(system, network)
  sample = jax.jit(o.sample, static_argnums=2)
  for n in (1, 7):
    z = sample(variables, jax.random.key(0), n)
    assert z.shape == (n, D) and jnp.isfinite(z).all()
  other = sample(variables, jax.random.key(1), 7)
  assert not jnp.any(z == other)
  assert len(np.unique(z, axis=0)) == 7


@pytest.mark.parametrize('system, prior', PRIORS)
def test_any_prior(system, prior):
  _, variables, _ = made(system, 'mlp')
  if system == 'vae' and prior != 'normal':
    with pytest.raises(errors.UserError, match='must be normal'):
      build(system, prior=priors.PRIORS[prior])
    return
  o = build(system, prior=priors.PRIORS[prior])
  loss, (_, metrics) = jax.jit(o.loss)(variables, data(B), jax.random.key(1), 0)
  assert jnp.isfinite(loss) and metrics['loss'] == loss
  z = o.sample(variables, jax.random.key(0), 7)
  assert z.shape == (7, D) and jnp.isfinite(z).all()
  target = priors.PRIORS[prior](jax.random.key(0), 7, D)
  learned = 'pseudo_inputs' in variables.params['model']
  assert learned or jnp.array_equal(z, target)


@pytest.mark.parametrize('system', SYSTEMS)
def test_unbounded_data(system):
  """Without a range the decoder's output is the image itself."""
  _, variables, _ = made(system, 'mlp')
  options = UNBOUNDED.get(system, {})
  z = jnp.full((2, D), 9.)
  inside = build(system).decode(variables, z)
  outside = build(system, bounded=False, **options).decode(variables, z)
  np.testing.assert_allclose(jax.nn.sigmoid(outside), inside, rtol=1e-5)
  assert outside.min() < 0


@pytest.mark.parametrize('system', ['sliced', 'wae_gan', 'wae_mmd'])
def test_weight_scales_the_penalty(system):
  _, variables, _ = made(system, 'mlp')
  loss = lambda weight: jax.jit(build(system, weight=weight).loss)(
      variables, data(B), jax.random.key(1), 0)
  (none, (_, m)), (ten, _), (twenty, _) = map(loss, (0., 10., 20.))
  # Of a game the critic's own term is a part.
  penalty = sum(m[k] for k in set(m) - {'loss', 'reconstruction'})
  assert none == m['reconstruction'] and abs(penalty) > 1e-2
  np.testing.assert_allclose(ten - none, 10 * penalty, rtol=1e-4)
  np.testing.assert_allclose(twenty - none, 20 * penalty, rtol=1e-4)


def test_choice_says_what_there_is():
  with pytest.raises(errors.UserError, match="taste='salt': .* one of a, b"):
    base.choice({'b': 1, 'a': 2}, 'taste', 'salt')
