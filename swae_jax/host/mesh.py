"""Devices and hosts: the batch is spread over them, the rest is everywhere."""
import os
import signal

import jax
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import numpy as np

from swae_jax import errors
from swae_jax.host import cluster

HEARTBEAT = 60  # Seconds of silence after which a process is taken for dead.


def initialize(coordinator='', processes=1, process=0, timeout=300):
  """Joins the other processes of the run, if flags or a cluster name any.

  Waits `timeout` seconds for them.
  """
  if timeout < 1:
    raise errors.UserError(f'--timeout={timeout}: at least 1 second')
  found = (cluster.by_flags(coordinator, processes, process)
           or cluster.by_environment(os.environ))
  if found is None:
    return
  more = found.processes - 1
  # A missing peer ends the process in C++: say so while there is time.
  print(f'waiting for {more} more process{"es" if more > 1 else ""} at '
        f'{found.coordinator} ({timeout} s; on TPU pods start on all workers: '
        '--worker=all)', flush=True)
  jax.distributed.initialize(**found.options, initialization_timeout=timeout,
                             heartbeat_timeout_seconds=HEARTBEAT)


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


def memory(mesh):
  """Bytes of memory of a device, or None where nothing tells."""
  here = mesh.local_devices
  stats = here[0].memory_stats()
  if stats and 'bytes_limit' in stats:
    return stats['bytes_limit']
  if here[0].platform == 'cpu' and hasattr(os, 'sysconf'):
    total = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return total // len(here)
  return None


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


def agreed(number, step):
  """The signal to stop for after this step, or None; the same everywhere.

  `number` is that of the signal which this process has had, or None.  Several
  processes agree on the step; their SIGTERM is taken by JAX.
  """
  if jax.process_count() == 1:
    return number
  stop = multihost_utils.reached_preemption_sync_point(step)
  return (number or signal.SIGTERM) if stop else None
