"""Devices: how many, how a batch is shared, and arrays there and back."""
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import errors, mesh


@pytest.mark.parametrize('devices', [-1, 9])
def test_more_devices_than_there_are_is_refused(devices):
  with pytest.raises(errors.UserError, match=f'{devices} asked.*8 here') as e:
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
  with pytest.raises(errors.UserError, match=f' {batch_size} ex') as e:
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
  with pytest.raises(errors.UserError, match=f' {batch_size} '):
    mesh.check_batch(mesh.make(devices), batch_size)


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


def test_only_a_run_of_several_processes_is_joined(monkeypatch, capsys):
  calls = []
  monkeypatch.setattr(jax.distributed, 'initialize',
                      lambda *args: calls.append((args, capsys.readouterr())))
  mesh.initialize('', 1, 0)
  assert not calls
  mesh.initialize('host:123', 4, 2)
  (args, said), = calls
  assert args == ('host:123', 4, 2)
  assert 'waiting for 4 processes at host:123 (this is 2' in said.out
