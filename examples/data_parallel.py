"""The step of `gradient_step` on several devices, in three ways.

  python -m examples.data_parallel

The sliced Wasserstein distance sorts the codes of the whole batch, so it is no
mean over devices.  With `axis_name` a loss gathers the codes of all devices;
each way below reduces the gradient as its docstring says, and the result equals
that of one device.  theta must be the same on every device.
"""
import functools

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import numpy as np

from examples import gradient_step

AXIS = 'data'


def by_jit(devices):
  """jit over a mesh: the loss of the global batch, without an axis name.

  XLA adds the communication; nothing is reduced by hand.
  """
  # Losses need Auto axes: Explicit ones, the default, refuse to sort a batch.
  mesh = jax.make_mesh((len(devices),), (AXIS,), (AxisType.Auto,),
                       devices=devices)
  everywhere = NamedSharding(mesh, PartitionSpec())
  spread = NamedSharding(mesh, PartitionSpec(AXIS))
  return jax.jit(gradient_step.step,
                 in_shardings=(everywhere, spread, spread, everywhere),
                 out_shardings=everywhere)


def by_default_mesh(devices):
  """jit over the mesh that `jax.make_mesh` makes by default.

  Its axes are Explicit; `auto_axes` makes them Auto inside the step.
  """
  mesh = jax.make_mesh((len(devices),), (AXIS,), devices=devices)
  everywhere = NamedSharding(mesh, PartitionSpec())
  spread = NamedSharding(mesh, PartitionSpec(AXIS))
  step = jax.jit(jax.sharding.auto_axes(
      gradient_step.step, axes=AXIS, out_sharding=everywhere))

  def call(params, x, z_prior, theta):
    with jax.set_mesh(mesh):
      return step(*(jax.device_put(a, s) for a, s in (
          (params, everywhere), (x, spread), (z_prior, spread),
          (theta, everywhere))))

  return call


def by_shard_map(devices):
  """shard_map: differentiate the pmean of the loss; do not reduce the gradient.

  The parameters are the same on all devices, so shard_map itself sums their
  gradient.  A local loss with pmean(grads) would be too large by the number of
  devices.
  """
  mesh = jax.make_mesh((len(devices),), (AXIS,), (AxisType.Auto,),
                       devices=devices)
  whole, part = PartitionSpec(), PartitionSpec(AXIS)

  @jax.jit
  @functools.partial(jax.shard_map, mesh=mesh,
                     in_specs=(whole, part, part, whole), out_specs=whole)
  def step(params, x, z_prior, theta):
    def loss(params):
      return jax.lax.pmean(
          gradient_step.loss(params, x, z_prior, theta, AXIS), AXIS)
    value, grads = jax.value_and_grad(loss)(params)
    return gradient_step.descend(params, grads), value

  return step


def by_pmap(devices):
  """pmap: differentiate the local loss, then take the pmean of the gradient."""
  @functools.partial(jax.pmap, axis_name=AXIS, devices=devices,
                     in_axes=(None, 0, 0, None), out_axes=None)
  def step(params, x, z_prior, theta):
    value, grads = jax.value_and_grad(gradient_step.loss)(
        params, x, z_prior, theta, AXIS)
    value, grads = jax.lax.pmean((value, grads), AXIS)
    return gradient_step.descend(params, grads), value

  def call(params, x, z_prior, theta):
    shards = (a.reshape(len(devices), -1, a.shape[1]) for a in (x, z_prior))
    return step(params, *shards, theta)

  return call


STEPS = {'jit': by_jit, 'jit, default mesh': by_default_mesh,
         'shard_map': by_shard_map, 'pmap': by_pmap}


def main():
  """Prints the loss after a step by each way."""
  devices, (data_key, init_key, key) = jax.devices(), jax.random.split(
      jax.random.key(0), 3)
  x = np.asarray(jax.random.uniform(data_key, (8 * len(devices), 16)))
  params = gradient_step.init(init_key, 16, 2)
  z_prior, theta = map(np.asarray, gradient_step.draw(key, len(x), 2))
  for name, make in STEPS.items():
    _, value = make(devices)(params, x, z_prior, theta)
    print(f'{name:18s} {len(devices)} devices, loss {float(value):.6f}')


if __name__ == '__main__':
  main()
