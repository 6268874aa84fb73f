"""Splits the batch over devices and processes, and copies the rest to each."""
import os
import signal
from typing import Any

import jax
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import numpy as np

from swae_jax import errors
from swae_jax.host import cluster

HEARTBEAT = 60  # Seconds of silence after which a process counts as dead.


def initialize(coordinator: str = '', processes: int = 1, process: int = 0,
               timeout: int = 300) -> None:
  """Connects the processes of a run if flags or a cluster name several.

  Args:
    coordinator: HOST:PORT where process 0 listens; '' looks for a cluster.
    processes: the number of processes.
    process: the index of this process, from 0.
    timeout: seconds to wait for the other processes.
  """
  if timeout < 1:
    raise errors.UserError(f'--timeout={timeout}: at least 1 second')
  joined = (cluster.by_flags(coordinator, processes, process)
            or cluster.by_environment(os.environ))
  if joined is None:
    return
  more = joined.processes - 1
  # If a process is missing, JAX aborts in C++, so this is our last line.
  print(f'waiting for {more} more process{"es" if more > 1 else ""} at '
        f'{joined.coordinator} ({timeout} s; on TPU pods start on all workers: '
        '--worker=all)', flush=True)
  jax.distributed.initialize(**joined.options, initialization_timeout=timeout,
                             heartbeat_timeout_seconds=HEARTBEAT)


def devices() -> list[jax.Device]:
  """All devices; UserError if JAX cannot use the platform that is asked for."""
  try:
    return jax.devices()
  except (RuntimeError, AssertionError) as e:  # Drivers fail in many ways.
    why = ' '.join(str(e).split())[:200] or 'JAX cannot start them'
    asked = jax.config.jax_platforms
    raise errors.UserError(
        f'there are no devices: {why}; ' + (
            f'JAX_PLATFORMS={asked}: unset it, or set it to cpu' if asked
            else 'swae doctor checks them')) from e


def make(count: int = 0) -> jax.sharding.Mesh:
  """A mesh of one axis, 'data', over the first devices; 0 takes all."""
  available = devices()
  if not 0 <= count <= len(available):
    raise errors.UserError(
        f'--config.devices={count}: there are {len(available)} '
        f'devices ({available[0].device_kind}); 0 takes all')
  chosen = available[:count or None]
  # Explicit axes, the default, refuse the sorts and kernel matrices of losses.
  return jax.make_mesh((len(chosen),), ('data',), (AxisType.Auto,),
                       devices=chosen)


def memory(mesh: jax.sharding.Mesh) -> int | None:
  """The bytes of memory of a device, or None if they are not known."""
  here = mesh.local_devices
  stats = here[0].memory_stats()
  if stats and 'bytes_limit' in stats:
    return stats['bytes_limit']
  if here[0].platform == 'cpu' and hasattr(os, 'sysconf'):
    total = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return total // len(here)
  return None


def check_batch(mesh: jax.sharding.Mesh, batch_size: int) -> None:
  """Refuses a batch that the devices cannot share equally."""
  if batch_size < 1:
    raise errors.UserError(
        f'--config.train.batch_size={batch_size}: it must be at least 1')
  if batch_size % mesh.size:
    fits = [n for n in range(mesh.size, 0, -1) if batch_size % n == 0]
    raise errors.UserError(
        f'--config.train.batch_size={batch_size}: so many examples do not '
        f'divide over {mesh.size} devices; give a multiple of {mesh.size}, or '
        f'--config.devices={fits[0]}')


def everywhere(mesh: jax.sharding.Mesh) -> NamedSharding:
  """The sharding that copies an array to every device."""
  return NamedSharding(mesh, PartitionSpec())


def spread(mesh: jax.sharding.Mesh) -> NamedSharding:
  """The sharding that splits the first axis of an array over the devices."""
  return NamedSharding(mesh, PartitionSpec('data'))


def put(tree: Any, sharding: NamedSharding) -> Any:
  """Arrays on the devices from numpy arrays, equal in every process."""
  def one(x):
    x = np.asarray(x)
    return jax.make_array_from_callback(x.shape, sharding, lambda i: x[i])
  return jax.tree.map(one, tree)


def shapes(tree: Any, sharding: jax.sharding.Sharding) -> Any:
  """The arrays that `put` would make, as shapes with their sharding."""
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=sharding), tree)


def fetch(tree: Any) -> Any:
  """Numpy copies of arrays that every device has.

  The step donates its state, so on a CPU a view of the state would change while
  somebody reads the view.
  """
  return jax.tree.map(
      lambda x: np.array(x.addressable_data(0), copy=True), tree)


def wait(name: str) -> None:
  """Returns when all processes have called `wait` with this name."""
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices(name)


def agreed(number: int | None, step: int) -> int | None:
  """The signal for which all processes stop after this step, or None.

  In a run of several processes JAX handles SIGTERM, and lets the processes
  agree on a step.

  Args:
    number: the number of the signal that this process has received, or None.
    step: the step that is just done.
  """
  if jax.process_count() == 1:
    return number
  stop = multihost_utils.reached_preemption_sync_point(step)
  return (number or signal.SIGTERM) if stop else None
