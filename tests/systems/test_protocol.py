"""The contract of every system, with every network, prior and penalty."""
import functools

import jax
import jax.numpy as jnp
import making
import numpy as np
import pytest

from swae_jax import errors, networks, priors
from swae_jax.systems import SYSTEMS, penalties

B, D, SHAPE = 6, 3, (8, 8, 1)
GAUSSIAN = {'likelihood': 'gaussian'}
OPTIONS = {name: {'components': 6} for name in ('mim', 'swae', 'vampprior')}
PENALTY_OPTIONS = {'gan': {'depth': 1}}
NETWORK_OPTIONS = {'dcgan': {'filters': 8}}
SHAPES = {'dcgan': (28, 28, 1)}  # It takes no smaller ones.
LOUD = {'dcgan': 7.}  # It starts so small that float32 shows nothing.
STILL = {'ae', 'cramer_wold'}  # These draw nothing.
ALL = [*((name, 'mmd') for name in SYSTEMS), *(
    ('wae', penalty) for penalty in penalties.PENALTIES if penalty != 'mmd')]
# Systems and networks do not know each other: every system with one network
# tells nearly all that the product does.
CASES = [
    pytest.param(system, penalty, network, marks=[] if network == 'mlp'
                 else pytest.mark.slow)
    for system, penalty in ALL for network in networks.NETWORKS]
# A system and a prior know nothing of each other either.
LAWS = [
    pytest.param(system, penalty, prior, marks=[] if prior == 'ring'
                 or penalty == 'sliced' else pytest.mark.slow)
    for system, penalty in ALL for prior in priors.PRIORS]


def data(n, network='mlp'):
  shape = SHAPES.get(network, SHAPE)
  rng = np.random.default_rng(0)
  return jnp.asarray(rng.uniform(size=(n, *shape)), jnp.float32)


def build(system, penalty='mmd', network='mlp', changes=(), **options):
  shape = SHAPES.get(network, SHAPE)
  make = networks.NETWORKS[network]
  return making.system(
      system, shape, D, penalty=penalty,
      penalty_options={**PENALTY_OPTIONS.get(penalty, {}), **dict(changes)},
      network=make(shape, **NETWORK_OPTIONS.get(network, {})),
      **{**OPTIONS.get(system, {}), **options})


@functools.cache
def made(system, penalty='mmd', network='mlp'):
  """The system, its variables, its loss and gradient as one function."""
  s = build(system, penalty, network, **(
      GAUSSIAN if system in ('mim', 'vae', 'vampprior') else {}))
  variables = s.init(jax.random.key(0), data(s.examples, network))
  variables = variables._replace(params=jax.tree.map(
      lambda p: LOUD.get(network, 1.) * p, variables.params))

  @jax.jit
  def step(variables, x, key):
    loss = lambda p: s.loss(variables._replace(params=p), x, key, 0)
    return jax.value_and_grad(loss, has_aux=True)(variables.params)
  return s, variables, step


@pytest.mark.parametrize('system, penalty, network', CASES)
def test_loss(system, penalty, network):
  _, variables, step = made(system, penalty, network)
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


@pytest.mark.parametrize('system, penalty, network', CASES)
def test_all_randomness_is_in_the_key(system, penalty, network):
  _, variables, step = made(system, penalty, network)
  loss = lambda seed: step(
      variables, data(B, network), jax.random.key(seed))[0][0]
  assert loss(1) == loss(1)
  assert (loss(1) == loss(2)) == bool({system, penalty} & STILL)


@pytest.mark.parametrize('system, penalty, network', CASES)
def test_codes_and_images(system, penalty, network):
  s, variables, _ = made(system, penalty, network)
  encode, decode = jax.jit(s.encode), jax.jit(s.decode)
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


@pytest.mark.parametrize('system, penalty, network', CASES)
def test_sample_gives_as_many_as_asked(system, penalty, network):
  s, variables, _ = made(system, penalty, network)
  sample = jax.jit(s.sample, static_argnums=2)
  for n in (1, 7):
    z = sample(variables, jax.random.key(0), n)
    assert z.shape == (n, D) and jnp.isfinite(z).all()
  other = sample(variables, jax.random.key(1), 7)
  assert not jnp.any(z == other)
  assert len(np.unique(z, axis=0)) == 7


@pytest.mark.parametrize('system, penalty, prior', LAWS)
def test_any_prior(system, penalty, prior):
  _, variables, _ = made(system, penalty)
  law = priors.PRIORS[prior]()
  if system == 'vae' and law.log_prob is None:
    with pytest.raises(errors.UserError, match='prior.name=normal'):
      build(system, prior=law)
    return
  given = {**GAUSSIAN, 'kl': 'sampled'} if system == 'vae' else (
      GAUSSIAN if system in ('mim', 'vampprior') else {})
  # The closed form is that of the normal prior.
  changes = {'closed_form': prior == 'normal'} if (
      penalty == 'cramer_wold') else {}
  s = build(system, penalty, changes=changes, prior=law, **given)
  loss, metrics = making.loss(s, variables, data(B))
  assert jnp.isfinite(loss) and metrics['loss'] == loss
  z = s.sample(variables, jax.random.key(0), 7)
  assert z.shape == (7, D) and jnp.isfinite(z).all()
  learned = 'pseudo_inputs' in variables.params['model']
  assert learned or jnp.array_equal(z, law.sample(jax.random.key(0), 7, D))


@pytest.mark.parametrize('system', SYSTEMS)
def test_unbounded_data(system):
  """Without a range the decoder's output is the image itself."""
  _, variables, _ = made(system)
  given = GAUSSIAN if system in ('mim', 'vae', 'vampprior') else {}
  z = jnp.full((2, D), 9.)
  inside = build(system, **given).decode(variables, z)
  outside = build(system, bounded=False, **given).decode(variables, z)
  np.testing.assert_allclose(jax.nn.sigmoid(outside), inside, rtol=1e-5)
  assert outside.min() < 0


@pytest.mark.parametrize('penalty', penalties.PENALTIES)
def test_weight_scales_the_penalty(penalty):
  _, variables, _ = made('wae', penalty)
  loss = lambda weight: making.loss(
      build('wae', penalty, weight=weight), variables, data(B))
  (none, m), (ten, _), (twenty, _) = map(loss, (0., 10., 20.))
  # In a game this includes the loss of the critic.
  total = sum(m[k] for k in set(m) - {'loss', 'reconstruction'})
  assert none == m['reconstruction'] and abs(total) > 1e-2
  np.testing.assert_allclose(ten - none, 10 * total, rtol=1e-4)
  np.testing.assert_allclose(twenty - none, 20 * total, rtol=1e-4)
