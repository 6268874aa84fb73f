"""Which processes make up a run, from flags and from environments."""
import http.server
import importlib.util
import threading

import pytest

from swae_jax import errors
from swae_jax.host import cluster

SLURM = {'SLURM_JOB_ID': '7', 'SLURM_STEP_NODELIST': 'gpu[03-04]',
         'SLURM_NTASKS': '2', 'SLURM_STEP_NUM_TASKS': '2',
         'SLURM_STEP_NUM_NODES': '2', 'SLURM_PROCID': '1',
         'SLURM_LOCALID': '0', 'SLURM_GPUS_ON_NODE': '4',
         'CUDA_VISIBLE_DEVICES': '0,1,2,3'}
OMPI = {'OMPI_COMM_WORLD_SIZE': '3',
        'OMPI_MCA_orte_hnp_uri': '1531576320.0;tcp://10.96.0.1:34911'}


@pytest.mark.parametrize('flags, words', [
    (('', 2, 0), '--coordinator=HOST:PORT'),
    (('', 1, 1), '--coordinator=HOST:PORT'),
    (('host', 2, 0), '--coordinator=host is not HOST:PORT'),
    ((':8476', 2, 0), 'not HOST:PORT'),
    (('host:http', 2, 0), 'not HOST:PORT'),
    (('host:0', 2, 0), 'not HOST:PORT'),
    (('host:65536', 2, 0), 'not HOST:PORT'),
    (('host:8476', 1, 0), '--processes, at least 2; it is 1'),
    (('host:8476', -2, 0), '--processes, at least 2; it is -2'),
    (('host:8476', 2, 2), '--process=2 is none of .*0 to 1'),
    (('host:8476', 2, -1), '--process=-1 is none of'),
])
def test_flags_that_do_not_fit_together(flags, words):
  with pytest.raises(errors.UserError, match=words) as e:
    cluster.by_flags(*flags)
  assert '\n' not in str(e.value) and e.value.code == 2


def test_flags_that_do():
  assert cluster.by_flags('', 1, 0) is None
  found = cluster.by_flags('[::1]:8476', 3, 2)
  assert found.processes == 3 and found.coordinator == '[::1]:8476'
  assert found.options['process_id'] == 2


@pytest.mark.parametrize('env', [
    {}, {'SLURM_JOB_ID': '7', 'SLURM_NTASKS': '4'},  # A batch script.
    {**SLURM, 'SLURM_NTASKS': '1', 'SLURM_STEP_NUM_TASKS': '1'},
    {**SLURM, 'SLURM_STEP_NUM_TASKS': '1'},  # The shell of salloc.
    {'OMPI_COMM_WORLD_SIZE': '1'},
    {'TPU_WORKER_HOSTNAMES': 'localhost'}, {'TPU_WORKER_HOSTNAMES': ''},
])
def test_one_process_is_no_cluster(env):
  assert cluster.by_environment({'TPU_SKIP_MDS_QUERY': '1', **env}) is None


def test_slurm_gives_a_lonely_task_all_gpus_of_its_node():
  found = cluster.by_environment(SLURM)
  assert found.processes == 2 and 'gpu[03-04]' in found.coordinator
  assert found.options == {'local_device_ids': [0, 1, 2, 3]}


def test_slurm_with_a_task_for_each_gpu_is_left_to_jax():
  env = {**SLURM, 'SLURM_NTASKS': '8', 'SLURM_STEP_NUM_TASKS': '8'}
  assert cluster.by_environment(env).options == {}
  cpus = {k: v for k, v in SLURM.items() if 'GPU' not in k and 'CUDA' not in k}
  assert cluster.by_environment(cpus).options == {}


def test_slurm_must_not_hide_gpus():
  env = {**SLURM, 'SLURM_NTASKS': '8', 'SLURM_STEP_NUM_TASKS': '8',
         'SLURM_GPUS_PER_TASK': '1', 'CUDA_VISIBLE_DEVICES': '0'}
  with pytest.raises(errors.UserError, match='use --gpus-per-node'):
    cluster.by_environment(env)
  shown = {**env, 'CUDA_VISIBLE_DEVICES': '0,1,2,3'}  # --gpu-bind=none
  assert cluster.by_environment(shown).processes == 8
  whole = {**SLURM, 'SLURM_GPUS_PER_TASK': '4'}  # The only task of its node.
  assert cluster.by_environment(whole).options['local_device_ids'] == [
      0, 1, 2, 3]


def test_open_mpi():
  assert cluster.by_environment({**SLURM, **OMPI}).processes == 3
  with pytest.raises(errors.UserError, match='OMPI_COMM_WORLD_RANK'):
    cluster.by_environment({'OMPI_COMM_WORLD_SIZE': '3'})


@pytest.mark.parametrize('kind, env', [('SlurmCluster', SLURM),
                                       ('OmpiCluster', OMPI)])
def test_jax_finds_the_same(kind, env, monkeypatch):
  clusters = pytest.importorskip('jax._src.clusters')
  for name, value in env.items():
    monkeypatch.setenv(name, value)
  jaxs = getattr(clusters, kind)
  assert jaxs.is_env_present()
  found = cluster.by_environment(env)
  assert jaxs.get_process_count() == found.processes


@pytest.mark.parametrize('env, count, where', [
    ({'TPU_WORKER_HOSTNAMES': 'w0,w1,w2,w3'}, 4, 'w0:8482'),
    ({'TPU_PROCESS_ADDRESSES': 'w0:8471,w1:8471',
      'JAX_COORDINATOR_PORT': '8476'}, 2, 'w0:8476'),
    ({'TPU_WORKER_HOSTNAMES': 'w0,w1', 'MEGASCALE_NUM_SLICES': '2',
      'MEGASCALE_COORDINATOR_ADDRESS': 'a-0:8080'}, 4, 'a-0:8482'),
    ({'TPU_WORKER_HOSTNAMES': 'w0', 'MEGASCALE_NUM_SLICES': '2'}, 2, 'w0:8482'),
])
def test_hosts_of_tpus_on_gke(env, count, where):
  found = cluster.by_environment(env)
  assert found == (count, where, {})


@pytest.fixture
def server(monkeypatch):
  """A metadata server; what it says is in its `answer`."""
  class Handler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
      right = (self.headers['Metadata-Flavor'] == 'Google'
               and self.path.endswith('/attributes/worker-network-endpoints'))
      self.send_response(200 if right and self.server.answer else 404)
      self.end_headers()
      self.wfile.write(self.server.answer.encode())

    def log_message(self, *args):
      pass

  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: True)
  monkeypatch.setenv('http_proxy', 'http://127.0.0.1:9')  # To nowhere.
  with http.server.HTTPServer(('127.0.0.1', 0), Handler) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()


@pytest.mark.parametrize('answer, expected', [
    ('a:0:10.0.0.5,b:1:10.0.0.6', (2, '10.0.0.5:8482', {})),
    ('t1v-0,t1v-1,t1v-2,t1v-3', (4, 't1v-0:8482', {})),
    ('a:0:10.0.0.5', None), ('', None)])
def test_hosts_of_a_cloud_tpu_vm(server, answer, expected):
  server.answer = answer
  env = {'GCE_METADATA_IP': f'127.0.0.1:{server.server_port}'}
  assert cluster.by_environment(env) == expected
  assert cluster.by_environment({**env, 'TPU_SKIP_MDS_QUERY': '1'}) is None


def test_only_machines_with_tpus_are_asked(server, monkeypatch):
  server.answer = 'a,b'
  env = {'GCE_METADATA_IP': f'127.0.0.1:{server.server_port}'}
  assert cluster.by_environment(env).processes == 2
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  assert cluster.by_environment(env) is None


def test_without_a_metadata_server_there_is_no_cluster(monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: True)
  assert cluster.by_environment({'GCE_METADATA_IP': '127.0.0.1:9'}) is None


@pytest.mark.parametrize('env', [
    {'OMPI_COMM_WORLD_SIZE': 'two'},
    {**SLURM, 'SLURM_NTASKS': '-1'},
    {'TPU_WORKER_HOSTNAMES': 'a,b', 'MEGASCALE_NUM_SLICES': '²'}])
def test_a_number_of_processes_that_is_none_is_named(env):
  with pytest.raises(errors.UserError, match=r'variable \w+ is'):
    cluster.by_environment(env)
