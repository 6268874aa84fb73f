"""Devices and hosts: the batch is spread over them, the rest is everywhere."""
import jax
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import numpy as np

from swae_jax import errors


def initialize(coordinator, processes, process):
  """Joins the other processes of a run; `coordinator` '' is a single one."""
  if not coordinator:
    return
  # A missing peer ends the process in C++: say so while there is time.
  print(f'waiting for {processes} processes at {coordinator} (this is '
        f'{process}; each must be started with the same command)', flush=True)
  jax.distributed.initialize(coordinator, processes, process)


def make(devices=0):
  """A mesh with the one axis 'data' over all devices, or the first few."""
  available = jax.devices()
  if not 0 <= devices <= len(available):
    raise errors.UserError(
        f'config.devices: {devices} asked for, {len(available)} here '
        f'({available[0].device_kind}); 0 takes all')
  chosen = available[:devices or None]
  # Explicit axes, the default, refuse the sorts and kernel matrices of losses.
  return jax.make_mesh((len(chosen),), ('data',), (AxisType.Auto,),
                       devices=chosen)


def check_batch(mesh, batch_size):
  """Refuses a batch that the devices cannot share equally."""
  if batch_size < 1:
    raise errors.UserError(
        f'config.train.batch_size: {batch_size} examples; it must be at least '
        '1')
  if batch_size % mesh.size:
    fits = [n for n in range(mesh.size, 0, -1) if batch_size % n == 0]
    raise errors.UserError(
        f'config.train.batch_size: {batch_size} examples do not divide over '
        f'{mesh.size} devices; use a multiple of {mesh.size}, or '
        f'--config.devices={fits[0]}')


def everywhere(mesh):
  """The sharding of an array of which every device has a copy."""
  return NamedSharding(mesh, PartitionSpec())


def spread(mesh):
  """The sharding of an array whose first axis is spread over the devices."""
  return NamedSharding(mesh, PartitionSpec('data'))


def put(tree, sharding):
  """Host arrays, the same in every process, as global arrays."""
  def one(x):
    x = np.asarray(x)
    return jax.make_array_from_callback(x.shape, sharding, lambda i: x[i])
  return jax.tree.map(one, tree)


def fetch(tree):
  """Copies of arrays that are everywhere, as numpy.

  A copy and never a view: the step donates its state, so on a CPU a view
  would change under the reader.
  """
  return jax.tree.map(
      lambda x: np.array(x.addressable_data(0), copy=True), tree)


def wait(name):
  """Returns when all processes have come here."""
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices(name)
