"""Devices: how many, how a batch is shared, and arrays there and back."""
import inspect
import os
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import errors
from swae_jax.host import cluster, mesh


@pytest.mark.parametrize('devices', [-1, 9])
def test_more_devices_than_there_are_is_refused(devices):
  with pytest.raises(
      errors.UserError, match=f'devices={devices}: there are 8 devices') as e:
    mesh.make(devices)
  assert '\n' not in str(e.value)


@pytest.mark.parametrize('devices, size', [(0, 8), (1, 1), (3, 3), (8, 8)])
def test_a_mesh_has_the_first_devices_on_one_axis(devices, size):
  found = mesh.make(devices)
  assert found.axis_names == ('data',)
  assert list(found.devices.flat) == jax.devices()[:size]


@pytest.mark.parametrize('batch_size, devices', [
    (8, 8), (64, 8), (1, 1), (7, 1), (100, 4), (9, 3)])
def test_a_batch_that_divides_is_taken(batch_size, devices):
  mesh.check_batch(mesh.make(devices), batch_size)


@pytest.mark.parametrize('batch_size', [1, 5, 7, 12, 30, 100, 1001])
def test_advice_on_a_batch_is_right(batch_size):
  with pytest.raises(errors.UserError, match=f'batch_size={batch_size}: ') as e:
    mesh.check_batch(mesh.make(8), batch_size)
  text = str(e.value)
  assert '\n' not in text and 'config.train.batch_size' in text
  devices = int(re.search(r'--config.devices=(\d+)', text)[1])
  mesh.check_batch(mesh.make(devices), batch_size)
  for more in range(devices + 1, 9):
    with pytest.raises(errors.UserError):
      mesh.check_batch(mesh.make(more), batch_size)
  multiple = int(re.search(r'multiple of (\d+)', text)[1])
  mesh.check_batch(mesh.make(8), 3 * multiple)


@pytest.mark.parametrize('devices', [1, 8])
@pytest.mark.parametrize('batch_size', [0, -8])
def test_an_empty_batch_is_refused(batch_size, devices):
  with pytest.raises(errors.UserError, match=f'batch_size={batch_size}: '):
    mesh.check_batch(mesh.make(devices), batch_size)


def test_virtual_devices_share_the_memory():
  one, eight = (mesh.memory(mesh.make(n)) for n in (1, 8))
  assert 2**28 < eight == one // 8


def tree():
  rng = np.random.default_rng(0)
  return {'images': rng.integers(256, size=(16, 3, 1), dtype=np.uint8),
          'step': np.int32(7), 'odd': np.float32([np.nan, -0., np.inf]),
          'empty': {}, 'none': np.zeros((0, 4), np.float32)}


def test_arrays_come_back_bit_for_bit():
  there = mesh.put(tree(), mesh.everywhere(mesh.make(8)))
  for x in jax.tree.leaves(there):
    assert len(x.addressable_shards) == 8 and x.is_fully_replicated
  back = mesh.fetch(there)
  assert jax.tree.structure(back) == jax.tree.structure(tree())
  for x, y in zip(*map(jax.tree.leaves, (back, tree())), strict=True):
    assert type(x) is np.ndarray and x.dtype == y.dtype
    assert x.shape == y.shape and x.tobytes() == y.tobytes()


def test_a_batch_is_spread_in_order():
  x = np.arange(32, dtype=np.int32).reshape(16, 2)
  there = mesh.put(x, mesh.spread(mesh.make(8)))
  devices = jax.devices()
  for shard in there.addressable_shards:
    i = devices.index(shard.device)
    np.testing.assert_array_equal(shard.data, x[2 * i:2 * i + 2])


def test_what_is_fetched_outlives_a_donation():
  everywhere = mesh.everywhere(mesh.make(1))
  x = mesh.put(np.arange(4096, dtype=np.float32), everywhere)
  fetched = mesh.fetch(x)
  view = np.asarray(x.addressable_data(0))
  assert not np.shares_memory(fetched, view)
  del view  # Else the buffer is not given up.
  step = jax.jit(lambda x: -x, donate_argnums=0, out_shardings=everywhere)
  y = jax.block_until_ready(step(x))
  assert x.is_deleted() and y[1] == -1
  np.testing.assert_array_equal(fetched, np.arange(4096))
  fetched[0] = 5.  # It is the reader's own.
  assert y[0] == 0


def test_a_put_array_does_not_follow_its_source():
  source = np.zeros(4096, np.float32)
  there = mesh.put(source, mesh.everywhere(mesh.make(1)))
  np.testing.assert_array_equal(there, np.zeros(4096))
  step = jax.jit(lambda x: x + 1, donate_argnums=0)
  jax.block_until_ready(step(there))
  np.testing.assert_array_equal(source, np.zeros(4096))


def test_a_spread_batch_is_summed_over_all_devices():
  x = np.arange(16, dtype=np.float32)
  there = mesh.put(x, mesh.spread(mesh.make(8)))
  total = jax.jit(jnp.sum, out_shardings=mesh.everywhere(mesh.make(8)))(there)
  assert mesh.fetch(total) == x.sum()


@pytest.fixture
def joined(monkeypatch, capsys):
  """The arguments of jax.distributed, and the lines printed before."""
  calls = []
  monkeypatch.setattr(
      jax.distributed, 'initialize',
      lambda **kwargs: calls.append((kwargs, capsys.readouterr().out)))
  for name in list(os.environ):
    if name.startswith(('SLURM_', 'OMPI_', 'TPU_', 'MEGASCALE_')):
      monkeypatch.delenv(name)
  monkeypatch.setenv('TPU_SKIP_MDS_QUERY', '1')
  return calls


def test_a_single_process_waits_for_nobody(joined):
  mesh.initialize('', 1, 0)
  mesh.initialize()
  assert not joined


def test_flags_name_the_processes(joined):
  mesh.initialize('host:123', 2, 1)
  mesh.initialize('host:123', 4, 2, timeout=20)
  (two, said), (four, said_of_four) = joined
  assert said == ('waiting for 1 more process at host:123 (300 s; on TPU pods '
                  'start on all workers: --worker=all)\n')
  assert said_of_four.startswith(
      'waiting for 3 more processes at host:123 (20 s; ')
  assert two == {'coordinator_address': 'host:123', 'num_processes': 2,
                 'process_id': 1, 'cluster_detection_method': 'deactivate',
                 'initialization_timeout': 300,
                 'heartbeat_timeout_seconds': 60}
  assert four['initialization_timeout'] == 20 and four['process_id'] == 2


def test_a_cluster_is_joined_without_flags(joined, monkeypatch):
  monkeypatch.setenv('TPU_WORKER_HOSTNAMES', 'w0,w1')
  mesh.initialize('', 1, 0)
  (options, said), = joined
  assert said.startswith('waiting for 1 more process at w0:8482 (300 s; ')
  assert options == {'initialization_timeout': 300,
                     'heartbeat_timeout_seconds': 60}


def test_a_time_out_is_a_number_of_seconds(joined):
  with pytest.raises(errors.UserError, match='timeout=0'):
    mesh.initialize('host:123', 2, 1, timeout=0)
  assert not joined


def test_jax_takes_what_it_is_told():
  taken = inspect.signature(jax.distributed.initialize).parameters
  told = {**cluster.by_flags('host:123', 2, 1).options,
          'local_device_ids': [0], 'initialization_timeout': 1,
          'heartbeat_timeout_seconds': 1}
  assert told.keys() <= taken.keys()
