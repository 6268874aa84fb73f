import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import errors, priors
from swae_jax.networks import NETWORKS
from swae_jax.systems import SYSTEMS, base

N, SHAPE = 6, (2, 3, 1)
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(N, *SHAPE)).astype('float32')


def build(latents=1, prior=priors.uniform, bounded=True, **options):
  return SYSTEMS['sliced'](
      NETWORKS['mlp'](SHAPE, hidden=8), prior, base.Spec(SHAPE, bounded, 10),
      latents, **options)


@functools.cache
def initial(latents):
  return build(latents).init(jax.random.key(0), X)


def metrics(o):
  variables = initial(1)
  _, (_, values) = jax.jit(o.loss)(variables, X, jax.random.key(1), 0)
  codes = o.encode(variables, X)
  return values, codes, np.float64(o.decode(variables, codes))


@pytest.mark.parametrize('p', [1, 2, 3])
def test_penalty_on_a_line(p):
  """With one axis every direction is 1 or -1, and the distance is one sum."""
  z = RNG.uniform(-1, 1, size=(N, 1)).astype('float32')
  values, codes, _ = metrics(build(prior=lambda *_: jnp.asarray(z), p=p))
  gap = np.sort(np.float64(codes), axis=0) - np.sort(z, axis=0)
  np.testing.assert_allclose(
      values['sliced_wasserstein'], np.mean(abs(gap)**p), rtol=1e-4)


@pytest.mark.parametrize('cost', ['bce_l1', 'squared'])
def test_cost(cost):
  values, _, y = metrics(build(cost=cost))
  reference = {
      'bce_l1': np.mean(-X * np.log(y) - (1 - X) * np.log(1 - y)
                        + abs(X - y)),
      'squared': np.mean(np.sum((X - y)**2, axis=(1, 2, 3)))}
  np.testing.assert_allclose(
      values['reconstruction'], reference[cost], rtol=1e-5)


def test_directions_and_prior_are_drawn_at_each_step():
  fixed = jnp.asarray(RNG.normal(size=(N, 3)), jnp.float32)
  def differs(o, latents):
    loss = jax.jit(o.loss)
    one, two = (loss(initial(latents), X, jax.random.key(seed), 0)[0]
                for seed in (1, 2))
    return abs(one - two) > 1e-3
  assert differs(build(3, prior=lambda *_: fixed), 3)
  # On a line directions do not matter: what differs is the prior's sample.
  assert differs(build(1), 1)
  assert not differs(build(1, prior=lambda *_: fixed[:, :1]), 1)


def test_more_projections_vary_less():
  def spread(projections):
    o = build(3, prior=lambda *_: jnp.ones((N, 3)), projections=projections)
    variables = initial(3)
    keys = jax.random.split(jax.random.key(1), 50)
    loss = lambda key: o.loss(variables, X, key, 0)[0]
    return jnp.std(jax.jit(jax.vmap(loss))(keys))
  assert spread(50) < .4 * spread(2)  # A fifth is expected.


@pytest.mark.parametrize('epoch, factor', [
    (0, 1), (9, 1), (10, 1), (11, 1.1), (12, 1.21), (30, 1.1**20)])
def test_growth_of_the_weight(epoch, factor):
  """There are 10 steps to an epoch here; the first and the last of it."""
  o = build(weight=3., growth=1.1, growth_from=10)
  loss = jax.jit(o.loss)
  for step in (10 * epoch, 10 * epoch + 9):
    value, (_, m) = loss(initial(1), X, jax.random.key(1), jnp.int32(step))
    np.testing.assert_allclose(
        value, m['reconstruction'] + 3 * factor * m['sliced_wasserstein'],
        rtol=1e-5)


@pytest.mark.parametrize('latents, prior', [
    (2, 'ring'), (2, 'uniform'), (2, 'disc'), (2, 'bowl'), (2, 'normal'),
    (128, 'uniform')])
def test_priors_of_the_paper(latents, prior):
  o = build(latents, prior=priors.PRIORS[prior])
  loss, _ = jax.jit(o.loss)(initial(latents), X, jax.random.key(1), 0)
  z = o.sample(initial(latents), jax.random.key(0), 5)
  assert np.isfinite(loss) and z.shape == (5, latents)


def test_refusals():
  with pytest.raises(errors.UserError, match=r"\[0, 1\].*cost='squared'"):
    build(bounded=False)
  with pytest.raises(errors.UserError, match='bce_l1, squared'):
    build(cost='l3')
