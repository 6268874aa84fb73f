"""Which processes make up a run: what flags say, or the cluster around it.

jax.distributed.initialize() can find a cluster by itself, but fails where
there is none, and says nothing while it waits; this finds out first.
"""
import importlib.util
from typing import NamedTuple
import urllib.request

from swae_jax import errors


class Cluster(NamedTuple):
  """Processes that train together."""
  processes: int  # How many.
  coordinator: str  # Where they meet, for people to read.
  options: dict  # What jax.distributed.initialize has to be told.


def by_flags(coordinator, processes, process):
  """The Cluster that flags describe; None if there are none."""
  if not coordinator:
    if processes != 1 or process != 0:
      raise errors.UserError(
          f'--processes={processes} --process={process} need '
          '--coordinator=HOST:PORT, the same for all: where process 0 listens')
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
        f'--process={process} is none of the --processes={processes}: '
        f'0 to {processes - 1}')
  # Given all this, JAX would still look for a cluster, to choose one device.
  return Cluster(processes, coordinator, {
      'coordinator_address': coordinator, 'num_processes': processes,
      'process_id': process, 'cluster_detection_method': 'deactivate'})


def by_environment(env):
  """The Cluster that environment variables describe; None if there is none.

  In the order in which JAX looks, so that it finds the same.
  """
  found = (find(env) for find in (open_mpi, slurm, tpu))
  return next((cluster for cluster in found if cluster), None)


def open_mpi(env):
  """Processes of mpirun."""
  count = int(env.get('OMPI_COMM_WORLD_SIZE', 1))
  if count < 2:
    return None
  if 'OMPI_MCA_orte_hnp_uri' not in env:  # Open MPI 5 has no such thing.
    raise errors.UserError(
        'this Open MPI does not say where its processes meet; give each '
        '--coordinator=HOST:PORT --processes=$OMPI_COMM_WORLD_SIZE '
        '--process=$OMPI_COMM_WORLD_RANK')
  return Cluster(count, 'the host of mpirun', {})


def slurm(env):
  """Tasks of srun."""
  names = ('SLURM_JOB_ID', 'SLURM_STEP_NODELIST', 'SLURM_NTASKS',
           'SLURM_PROCID', 'SLURM_LOCALID')
  if not all(name in env for name in names):
    return None
  tasks = int(env['SLURM_NTASKS'])
  # The shell of an interactive job has all these, and is alone in its step.
  if min(tasks, int(env.get('SLURM_STEP_NUM_TASKS', tasks))) < 2:
    return None
  one_a_node = tasks == int(env.get('SLURM_STEP_NUM_NODES', 0))
  seen = env.get('CUDA_VISIBLE_DEVICES', '').split(',')
  if not one_a_node and env.get('SLURM_GPUS_PER_TASK') == str(len(seen)):
    raise errors.UserError(
        'srun --gpus-per-task hides the GPUs of the other tasks of a node, '
        'which JAX has to see; use --gpus-per-node')
  options = {}
  # Left alone, JAX gives a task one GPU, also where it is alone on its node.
  if one_a_node and env.get('SLURM_GPUS_ON_NODE', '').isdecimal():
    options['local_device_ids'] = list(range(int(env['SLURM_GPUS_ON_NODE'])))
  return Cluster(tasks, f'the first of {env["SLURM_STEP_NODELIST"]}', options)


def tpu(env):
  """The hosts of a TPU slice, or of several: on GKE, or a Cloud TPU VM."""
  hosts = env.get('TPU_PROCESS_ADDRESSES') or env.get('TPU_WORKER_HOSTNAMES')
  if hosts:  # Of host, or host:port.
    hosts = [host.split(':')[0] for host in hosts.split(',')]
  elif 'TPU_SKIP_MDS_QUERY' in env or not importlib.util.find_spec('libtpu'):
    return None  # JAX sets it, when imported, where there are no TPU chips.
  else:  # Of host, or name:id:host.
    hosts = [host.split(':')[-1] for host in
             metadata('worker-network-endpoints', env).split(',')]
  count = len(hosts) * int(env.get('MEGASCALE_NUM_SLICES') or 1)
  if count < 2:
    return None
  first = env.get('MEGASCALE_COORDINATOR_ADDRESS', '').split(':')[0] or hosts[0]
  port = env.get('JAX_COORDINATOR_PORT', '8482')
  return Cluster(count, f'{first}:{port}', {})


def metadata(key, env):
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
