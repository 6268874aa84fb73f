"""The processes of a run, from flags or from the variables of a cluster.

jax.distributed.initialize() finds a cluster too, but fails without one and
prints nothing while it waits.  This module looks for the cluster first, so that
a run can print which processes it waits for.
"""
from collections.abc import Mapping
import importlib.util
import re
from typing import Any, NamedTuple
import urllib.request

from swae_jax import errors


class Cluster(NamedTuple):
  """Processes that train together."""
  processes: int  # Their number.
  coordinator: str  # The address of process 0, for people to read.
  options: dict[str, Any]  # Arguments of jax.distributed.initialize.


def by_flags(coordinator: str, processes: int, process: int) -> Cluster | None:
  """The Cluster that the flags describe; None if they are not given."""
  if not coordinator:
    if processes != 1 or process != 0:
      raise errors.UserError(
          f'--processes={processes} --process={process} need '
          '--coordinator=HOST:PORT, the address of process 0')
    return None
  host, _, port = coordinator.rpartition(':')
  if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
    raise errors.UserError(
        f'--coordinator={coordinator} is not HOST:PORT, as in 10.0.0.2:8476')
  if processes < 2:
    raise errors.UserError(
        f'--coordinator needs --processes, at least 2; it is {processes}')
  if not 0 <= process < processes:
    raise errors.UserError(
        f'--process={process} is none of the numbers 0 to {processes - 1} that '
        f'--processes={processes} allows')
  # Without 'deactivate' JAX still looks for a cluster, and may then give this
  # process only one device.
  return Cluster(processes, coordinator, {
      'coordinator_address': coordinator, 'num_processes': processes,
      'process_id': process, 'cluster_detection_method': 'deactivate'})


def by_environment(env: Mapping[str, str]) -> Cluster | None:
  """The Cluster that environment variables describe, or None.

  This function looks in the order of JAX, so that JAX joins the same cluster.
  """
  return open_mpi(env) or slurm(env) or tpu(env)


def _count(env: Mapping[str, str], name: str, default: int) -> int:
  """The number in a variable of the environment."""
  text = env.get(name) or str(default)
  if not re.fullmatch('[0-9]{1,9}', text):
    raise errors.UserError(
        f'the variable {name} is {text!r}, which is no number of processes; '
        'unset it, or start this run by its cluster')
  return int(text)


def open_mpi(env: Mapping[str, str]) -> Cluster | None:
  """The processes of mpirun, or None."""
  count = _count(env, 'OMPI_COMM_WORLD_SIZE', 1)
  if count < 2:
    return None
  if 'OMPI_MCA_orte_hnp_uri' not in env:  # Open MPI 5 lacks it.
    raise errors.UserError(
        'this Open MPI does not name a host for its processes; give each '
        '--coordinator=HOST:PORT --processes=$OMPI_COMM_WORLD_SIZE '
        '--process=$OMPI_COMM_WORLD_RANK')
  return Cluster(count, 'the host of mpirun', {})


def slurm(env: Mapping[str, str]) -> Cluster | None:
  """The tasks of srun, or None."""
  names = ('SLURM_JOB_ID', 'SLURM_STEP_NODELIST', 'SLURM_NTASKS',
           'SLURM_PROCID', 'SLURM_LOCALID')
  if not all(name in env for name in names):
    return None
  tasks = _count(env, 'SLURM_NTASKS', 1)
  # The shell of an interactive job has these variables too, but is only one
  # process.
  if min(tasks, _count(env, 'SLURM_STEP_NUM_TASKS', tasks)) < 2:
    return None
  one_a_node = tasks == _count(env, 'SLURM_STEP_NUM_NODES', 0)
  visible = env.get('CUDA_VISIBLE_DEVICES', '').split(',')
  if not one_a_node and env.get('SLURM_GPUS_PER_TASK') == str(len(visible)):
    raise errors.UserError(
        'srun --gpus-per-task hides the GPUs of the other tasks of a node, '
        'which JAX must see; use --gpus-per-node')
  options = {}
  # JAX gives each task one GPU by default, even the only task of a node.
  if one_a_node and env.get('SLURM_GPUS_ON_NODE', '').isdecimal():
    options['local_device_ids'] = list(range(int(env['SLURM_GPUS_ON_NODE'])))
  return Cluster(tasks, f'the first of {env["SLURM_STEP_NODELIST"]}', options)


def tpu(env: Mapping[str, str]) -> Cluster | None:
  """The hosts of TPU slices, on GKE or on Cloud TPU VMs, or None."""
  hosts = env.get('TPU_PROCESS_ADDRESSES') or env.get('TPU_WORKER_HOSTNAMES')
  if hosts:  # A list of host or host:port.
    hosts = [host.split(':')[0] for host in hosts.split(',')]
  elif 'TPU_SKIP_MDS_QUERY' in env or not importlib.util.find_spec('libtpu'):
    return None  # JAX sets the variable if the machine has no TPU chips.
  else:  # A list of host or name:id:host.
    hosts = [host.split(':')[-1] for host in
             metadata('worker-network-endpoints', env).split(',')]
  count = len(hosts) * _count(env, 'MEGASCALE_NUM_SLICES', 1)
  if count < 2:
    return None
  first = env.get('MEGASCALE_COORDINATOR_ADDRESS', '').split(':')[0] or hosts[0]
  port = env.get('JAX_COORDINATOR_PORT', '8482')
  return Cluster(count, f'{first}:{port}', {})


def metadata(key: str, env: Mapping[str, str]) -> str:
  """An attribute of this virtual machine on Google Cloud; '' if unknown."""
  server = env.get('GCE_METADATA_IP', 'metadata.google.internal')
  request = urllib.request.Request(
      f'http://{server}/computeMetadata/v1/instance/attributes/{key}',
      headers={'Metadata-Flavor': 'Google'})
  direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
  try:
    with direct.open(request, timeout=5) as answer:
      return answer.read().decode()
  except OSError:
    return ''
