"""Batch-level losses spread over devices against the whole batch on one."""
import functools

import jax
from jax import lax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import numpy as np
import pytest

from swae_jax import losses
from swae_jax.losses import collectives

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(16, 3)), RNG.normal(size=(24, 3)) + .5
THETA = RNG.normal(size=(5, 3))
THETA /= np.linalg.norm(THETA, axis=1, keepdims=True)
W = np.eye(3) + .1 * RNG.normal(size=(3, 3))

# Every loss that compares two samples as wholes: (x, y, axis_name=) -> scalar.
SLICED = functools.partial(losses.sliced_wasserstein, theta=THETA)
MAX = functools.partial(losses.max_sliced_wasserstein, theta=THETA)
LOSSES = {
    'sliced': SLICED,
    'sliced_p1': functools.partial(SLICED, p=1),
    'max_sliced': MAX,
    'max_sliced_ascent': functools.partial(MAX, steps=3),
    'cramer_wold': losses.cramer_wold,
    'distributional_sliced': functools.partial(
        losses.distributional_sliced_wasserstein, theta=THETA, steps=3),
    'energy': losses.energy_distance,
    'kid': losses.kid,
    'sinkhorn': losses.sinkhorn_divergence,
    'mmd': functools.partial(losses.mmd, kernel=losses.imq(6.)),
    'mmd_v': functools.partial(
        losses.mmd, kernel=losses.rbf(2.), unbiased=False),
}


@functools.partial(jax.jit, static_argnums=0)
def encode(fn, w, x, y):
  return fn(jnp.tanh(jnp.matmul(x, w)), y)


def mesh():
  return jax.make_mesh((8,), ('d',), axis_types=(AxisType.Auto,))


def split(x):
  return x.reshape(8, -1, *x.shape[1:])


def averaged(fn, w, x, y):
  """The recipe where gradients are local: their pmean."""
  fn = functools.partial(fn, axis_name='d')
  return lax.pmean(jax.value_and_grad(
      lambda w: encode(fn, w, x, y))(w), 'd')


def by_vmap(fn):
  local = jax.vmap(functools.partial(averaged, fn), (None, 0, 0),
                   axis_name='d')
  return jax.tree.map(lambda a: a[3], jax.jit(local)(W, split(X), split(Y)))


def by_pmap(fn):
  local = jax.pmap(functools.partial(averaged, fn), 'd', in_axes=(None, 0, 0))
  return jax.tree.map(lambda a: a[3], local(W, split(X), split(Y)))


def by_shard_map(fn, local, check_vma):
  data = PartitionSpec('d')
  return jax.jit(jax.shard_map(
      functools.partial(local, fn), mesh=mesh(),
      in_specs=(PartitionSpec(), data, data), out_specs=PartitionSpec(),
      check_vma=check_vma))(W, X, Y)


def by_shard_map_unchecked(fn):
  return by_shard_map(fn, averaged, False)


def by_shard_map_checked(fn):
  def local(fn, w, x, y):
    fn = functools.partial(fn, axis_name='d')
    return jax.value_and_grad(
        lambda w: lax.pmean(encode(fn, w, x, y), 'd'))(w)

  return by_shard_map(fn, local, True)


def by_sharded_jit(fn):
  data = NamedSharding(mesh(), PartitionSpec('d'))
  return jax.jit(jax.value_and_grad(lambda w, x, y: encode(fn, w, x, y)))(
      W, jax.device_put(X, data), jax.device_put(Y, data))


WAYS = (by_vmap, by_pmap, by_shard_map_unchecked, by_shard_map_checked,
        by_sharded_jit)


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('name', [
    pytest.param(name, marks=() if name in (
        'sliced', 'max_sliced_ascent', 'mmd', 'kid', 'sinkhorn', 'cramer_wold')
                 else pytest.mark.slow) for name in LOSSES])
def test_devices_do_not_change_a_loss(name, way):
  with jax.enable_x64(True):
    fn = LOSSES[name]
    if name == 'sinkhorn' and way is by_shard_map_checked:
      # The loop of ott-jax mixes what varies over devices and what does not.
      with pytest.raises(TypeError, match='must have equal'):
        way(fn)
      return
    expected = jax.jit(jax.value_and_grad(
        lambda w: encode(fn, w, X, Y)))(W)
    result = jax.block_until_ready(way(fn))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12),
        result, expected)


def test_gather_keeps_the_order_of_the_examples():
  x = np.arange(16.).reshape(8, 2)
  gather = jax.vmap(lambda x: collectives.gather(x, 'd'), axis_name='d')
  np.testing.assert_array_equal(
      jax.jit(gather)(x), np.tile(np.arange(16.), (8, 1)))


def test_no_axis_is_the_identity():
  x = jnp.arange(3.)
  assert collectives.gather(x, None) is x
