"""Checkpoints come back bit for bit, or are refused."""
import errno
import gc
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import jax
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

from swae_jax import errors
from swae_jax.host import signals
from swae_jax.systems import base
from swae_jax.training import step
from swae_jax.workdir import checkpoint, digests, files

# Orbax leaves an event loop behind when a file cannot be read.
pytestmark = pytest.mark.filterwarnings(
    'ignore::pytest.PytestUnraisableExceptionWarning')


@pytest.fixture(autouse=True)
def _collect():
  yield
  gc.collect()


def make_state(seed=0, width=3):
  rng = np.random.default_rng(seed)
  params = {'model': {'dense': {
      'kernel': rng.normal(size=(200, width)).astype(np.float32),
      'bias': np.zeros(width, np.float32)}}}
  stats = {'norm': {'mean': rng.normal(size=width).astype(np.float32)}}
  tx = step.optimizer({'model': optax.adam(1e-3)})
  return step.State(np.int32(seed), np.uint32([1, 2]),
                    base.Variables(params, stats),
                    jax.device_get(tx.init(params)), np.zeros(2, np.int32))


def saved(directory, *states, max_to_keep=2):
  with checkpoint.Checkpoints(directory, max_to_keep) as checkpoints:
    for state in states:
      checkpoints.save(state)


def restored(directory, template=None, **options):
  with checkpoint.Checkpoints(directory) as checkpoints:
    return checkpoints.restore(template or make_state(), **options)


def names(directory):
  return {p.name for p in directory.iterdir()}


def test_the_newest_state_comes_back_bit_for_bit(tmp_path):
  states = [make_state(seed) for seed in (3, 5, 8)]
  saved(tmp_path / 'new', *states)
  found = restored(tmp_path / 'new')
  jax.tree.map(np.testing.assert_array_equal, found, states[-1])
  assert digests.summary(found) == digests.summary(states[-1])
  assert jax.tree.structure(found) == jax.tree.structure(states[-1])


def test_what_was_learned_can_be_read_alone(tmp_path):
  state = make_state(3)
  saved(tmp_path, state)
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    found = checkpoints.read(3, ('variables',))
  assert digests.of(found) == digests.of({'variables': state.variables})


def test_only_the_newest_are_kept(tmp_path):
  saved(tmp_path, *map(make_state, (1, 2, 3, 4)))
  assert names(tmp_path) == {'3', '4'}


def test_nothing_saved_is_nothing_restored(tmp_path):
  assert restored(tmp_path) is None and not names(tmp_path)
  assert restored(tmp_path / 'none') is None
  assert not (tmp_path / 'none').exists()


def test_a_step_that_is_there_is_saved_anew(tmp_path):
  saved(tmp_path, make_state(3))
  other = make_state(4)._replace(step=np.int32(3))
  saved(tmp_path, other, max_to_keep=1)
  assert digests.summary(restored(tmp_path)) == digests.summary(other)
  assert names(tmp_path) == {'3'}


def flip(path, position):
  content = bytearray(path.read_bytes())
  content[position % len(content)] ^= 1
  path.write_bytes(content)


def test_a_flipped_bit_is_refused_or_harmless(tmp_path):
  state = make_state(1)
  rng = np.random.default_rng(0)
  refused = 0
  for i in range(24):
    directory = tmp_path / str(i)
    saved(directory, state)
    files = [p for p in sorted((directory / '1').rglob('*'))
             if p.is_file() and p.stat().st_size]
    flip(files[i % len(files)], int(rng.integers(1 << 30)))
    try:
      found = restored(directory)
    except errors.DamagedData as e:
      assert 'checkpoint' in str(e) and '\n' not in str(e)
      refused += 1
    else:
      if found is not None:
        assert digests.summary(found) == digests.summary(state)
  assert refused  # Else the loop above has tested nothing.


def test_a_flipped_value_is_named(tmp_path, monkeypatch):
  state = make_state(1)
  with monkeypatch.context() as m:  # Digests of another state.
    other = make_state(2)._replace(step=state.step)
    of = digests.of
    m.setattr(digests, 'of', lambda arrays: of(other))
    saved(tmp_path, state)
  with pytest.raises(errors.DamagedData, match='model/dense/kernel: digest'):
    restored(tmp_path)


def test_another_system_is_refused(tmp_path):
  saved(tmp_path, make_state(1))
  with pytest.raises(errors.UserError, match=r'float32\[3\] there, .*\[4\]'):
    restored(tmp_path, make_state(0, width=4))
  odd = make_state(0)
  odd.variables.params['model']['extra'] = np.zeros(1, np.float32)
  with pytest.raises(errors.UserError, match='extra is in only one'):
    restored(tmp_path, odd)


def test_a_digest_tells_type_and_shape_apart():
  x = np.zeros((2, 3), np.float32)
  others = x.T, x.astype(np.int32), x.ravel()
  assert len({digests.digest(y) for y in (x, *others)}) == 4


def damage(directory, *steps):
  for number in steps:
    (directory / str(number) / 'variables' / 'manifest.ocdbt').write_bytes(b'')


def test_where_all_are_damaged_nothing_is_touched(tmp_path):
  saved(tmp_path, make_state(1), make_state(2))
  damage(tmp_path, 1, 2)
  said = []
  with pytest.raises(errors.DamagedData, match='no usable checkpoint of 2 .*'
                     'checkpoint 2 is.*nothing was deleted; --restart') as e:
    restored(tmp_path, print_line=said.append)
  assert e.value.code == 65 and not said and names(tmp_path) == {'1', '2'}


def test_after_a_damaged_step_the_same_steps_are_saved(tmp_path):
  for _ in range(2):
    saved(tmp_path, *map(make_state, (1, 2, 3)))
    damage(tmp_path, 3)
    said = []
    with checkpoint.Checkpoints(tmp_path, 2) as checkpoints:
      state = checkpoints.restore(make_state(), said.append)
      assert state.step == checkpoints.last == 2
      assert 'checkpoint 3 is damaged' in said[0] and 'using 2' in said[0]
      checkpoints.save(make_state(3))
    assert restored(tmp_path).step == 3
  assert names(tmp_path) == {'2', '3', 'corrupt-3', 'corrupt-3-1'}


def test_the_step_inside_a_renamed_checkpoint_counts(tmp_path):
  saved(tmp_path, make_state(1), make_state(2))
  (tmp_path / '1').rename(tmp_path / '99')
  assert restored(tmp_path).step == 2
  said = []
  with checkpoint.Checkpoints(tmp_path, 2) as checkpoints:
    assert checkpoints.restore(make_state(), said.append).step == 2
    checkpoints.put_right(said.append)
  assert len(said) == 1 and 'checkpoint 99 holds step 1; moved to 1' in said[0]
  assert names(tmp_path) == {'1', '2'}


@pytest.mark.parametrize('odd', ['0014', '²', '-3', '1e5'])
def test_what_only_looks_like_a_checkpoint_is_ignored(odd, tmp_path):
  saved(tmp_path, make_state(1))
  shutil.copytree(tmp_path / '1', tmp_path / odd)
  assert restored(tmp_path).step == 1
  saved(tmp_path, make_state(3))
  assert names(tmp_path) == {'1', '3', odd}


@pytest.mark.parametrize('make', [
    lambda path: path.touch(), lambda path: path.symlink_to('nowhere')])
def test_what_is_no_folder_is_refused(make, tmp_path):
  make(tmp_path / 'checkpoints')
  with pytest.raises(errors.DamagedData, match='must be a folder'):
    checkpoint.Checkpoints(tmp_path / 'checkpoints')


def test_the_first_checkpoint_is_read_before_it_is_believed(
    tmp_path, monkeypatch):
  monkeypatch.setattr(checkpoint, 'PAUSES', ())
  save = ocp.CheckpointManager.save

  def damaging(self, step, *args, **options):
    save(self, step, *args, **options)
    damage(tmp_path, step)

  with checkpoint.Checkpoints(tmp_path, 2) as checkpoints:
    with monkeypatch.context() as m:
      m.setattr(ocp.CheckpointManager, 'save', damaging)
      checkpoints.save(make_state(4))
      with pytest.raises(errors.SaveFailed, match='4 is damaged'):
        checkpoints.wait()
    checkpoints.again()
  assert restored(tmp_path).step == 4


def test_what_kills_leave_is_cleared_away(tmp_path):
  saved(tmp_path, make_state(1))
  for name in ('2.orbax-checkpoint-tmp', 'deleted/0', 'corrupt-5'):
    (tmp_path / name).mkdir(parents=True)
  assert restored(tmp_path).step == 1
  saved(tmp_path, make_state(3))
  assert names(tmp_path) == {'1', '3', 'corrupt-5'}


def failing(monkeypatch, number, times=99):
  """The next writes of a checkpoint fail when their arrays are there."""
  left = [times]
  save = ocp.Checkpointer.save

  def fail(self, directory, *args, **options):
    if not left[0]:
      return save(self, directory, *args, **options)
    left[0] -= 1
    (directory.parent / f'{directory.name}.orbax-checkpoint-tmp').mkdir()
    raise OSError(number, os.strerror(number))
  monkeypatch.setattr(ocp.Checkpointer, 'save', fail)


def test_a_save_that_failed_is_told_once_and_can_be_made_again(
    tmp_path, monkeypatch):
  with checkpoint.Checkpoints(tmp_path, 2) as checkpoints:
    with monkeypatch.context() as m:
      failing(m, errno.ENOSPC)
      checkpoints.save(make_state(4))
      with pytest.raises(errors.SaveFailed, match='disk full: save at 4 fail'):
        checkpoints.wait()
      checkpoints.wait()
    assert checkpoints.last is None and not checkpoints.steps()
    checkpoints.again()
    assert checkpoints.last == 4 and checkpoints.failed is None
    assert names(tmp_path) == {'4'}
  assert restored(tmp_path).step == 4


@pytest.mark.parametrize('times', [1, 3, 4])
def test_a_failure_that_passes_is_not_seen(times, tmp_path, monkeypatch):
  monkeypatch.setattr(checkpoint, 'PAUSES', (0., 0., 0.))
  failing(monkeypatch, errno.EIO, times)
  with checkpoint.Checkpoints(tmp_path, 2) as checkpoints:
    checkpoints.save(make_state(4))
    if times > 3:
      with pytest.raises(errors.SaveFailed, match='OSError.*save at 4 failed'):
        checkpoints.wait()
    else:
      checkpoints.wait()
    assert checkpoints.steps() == [4] * (times <= 3)


def test_after_a_signal_a_failure_is_repeated_only_soon(tmp_path, monkeypatch):
  slept = []
  monkeypatch.setattr(signals, 'requested', lambda: 15)
  monkeypatch.setattr(signals, 'sleep', slept.append)
  failing(monkeypatch, errno.EIO)
  with checkpoint.Checkpoints(tmp_path, 2) as checkpoints:
    checkpoints.save(make_state(4))
    with pytest.raises(errors.SaveFailed, match='save at 4 failed'):
      checkpoints.wait()
  assert slept == [.2]


def test_a_process_ends_at_once_after_saves_that_failed(tmp_path):
  """Files of more than a few bytes cannot be written, as on a full disk."""
  program = f"""
import pathlib, resource, sys
sys.path[:0] = {[os.path.dirname(__file__)]!r}
import test_checkpoint as t
with t.checkpoint.Checkpoints(pathlib.Path({str(tmp_path)!r}), 2) as c:
  for step in (1, 2, 3):
    c.save(t.make_state(step))
    if step == 1:
      c.wait()
      resource.setrlimit(resource.RLIMIT_FSIZE, (500, -1))
    else:
      try:
        c.wait()
      except t.errors.SaveFailed as e:
        print(e)
"""
  began = time.monotonic()
  done = subprocess.run(
      [sys.executable, '-c', program], capture_output=True, text=True,
      check=False, timeout=120, env={
          **os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
  assert done.stdout.splitlines() == [
      f'disk full: save at {step} failed' for step in (2, 3)], done.stderr
  assert time.monotonic() - began < 60 and done.returncode == 0
  assert restored(tmp_path).step == 1
  saved(tmp_path, make_state(4))
  assert names(tmp_path) == {'1', '4'}


def test_an_old_checkpoint_is_deleted_when_the_new_one_is_on_the_disk(
    tmp_path, monkeypatch):
  synced, sync, delete = [], files.sync, ocp.CheckpointManager.delete
  monkeypatch.setattr(files, 'sync', lambda path: [
      synced.append(os.fspath(path)), sync(path)])

  def check(self, step):
    new = tmp_path / '2'
    assert {tmp_path, new, *new.rglob('*')} <= set(map(pathlib.Path, synced))
    assert not [path for path in synced if path.startswith(f'{tmp_path}/1')]
    delete(self, step)
  saved(tmp_path, make_state(1), max_to_keep=1)
  synced.clear()
  monkeypatch.setattr(ocp.CheckpointManager, 'delete', check)
  saved(tmp_path, make_state(2), max_to_keep=1)
  assert names(tmp_path) == {'2'}


def failing_reads(monkeypatch, error, times):
  left, read = [times], ocp.CheckpointManager.restore

  def fail(*args, **options):
    if left[0]:
      left[0] -= 1
      raise error
    return read(*args, **options)
  monkeypatch.setattr(checkpoint, 'PAUSES', (0., 0., 0.))
  monkeypatch.setattr(ocp.CheckpointManager, 'restore', fail)


def test_a_first_checkpoint_that_cannot_be_read_is_told(tmp_path, monkeypatch):
  failing_reads(monkeypatch, ValueError('odd'), 99)
  with pytest.raises(errors.SaveFailed, match='save at 1 failed'):
    saved(tmp_path, make_state(1))


@pytest.mark.parametrize('error', [
    OSError(errno.EIO, 'Input/output error'), OSError(errno.ESTALE, ''),
    TimeoutError(errno.ETIMEDOUT, ''),
    ValueError('INTERNAL: Error reading local file "x": Input/output error'),
    ValueError('UNAVAILABLE: the bucket')])
def test_a_read_that_fails_is_no_damage(error, tmp_path, monkeypatch):
  saved(tmp_path, make_state(1), make_state(2))
  for times in (3, 99):
    said = []
    with monkeypatch.context() as patch:
      failing_reads(patch, error, times)
      if times == 3:
        assert restored(tmp_path, print_line=said.append).step == 2
      else:
        with pytest.raises(OSError) as e:
          restored(tmp_path, print_line=said.append)
        code, line = errors.explain(e.value)
        assert code == 74 and 'checkpoint 2 cannot be read' in line
    assert not said and names(tmp_path) == {'1', '2'}


def test_a_reader_beside_a_run_lists_again(tmp_path, monkeypatch):
  from swae_jax.commands import verify
  folder = tmp_path / 'checkpoints'
  saved(folder, make_state(1), max_to_keep=1)
  read, left = checkpoint.Checkpoints._read, [2]

  def meanwhile(self, step, items):
    if left[0] and self.max_to_keep is None:  # The run has saved the next one.
      left[0] -= 1
      saved(folder, make_state(step + 1), max_to_keep=1)
    return read(self, step, items)
  monkeypatch.setattr(checkpoint.Checkpoints, '_read', meanwhile)
  assert restored(folder).step == 3
  left[0] = 1
  assert list(verify._checkpoints(folder, None)) == [('checkpoints/4', '')]
  left[0] = 99
  monkeypatch.setattr(checkpoint, 'LISTS', 2)
  with pytest.raises(errors.Busy, match='keep more of them'):
    restored(folder)


def test_what_a_failed_save_leaves_is_not_waited_for(tmp_path, monkeypatch):
  started = []

  def save(*args, **options):  # As Orbax, whose thread then waits for minutes.
    started.append(threading.Thread(target=threading.Event().wait, args=(20,)))
    started[0].start()
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
  monkeypatch.setattr(ocp.CheckpointManager, 'save', save)
  with checkpoint.Checkpoints(tmp_path, 1) as checkpoints:
    checkpoints.save(make_state(1))
    with pytest.raises(errors.SaveFailed, match='disk full'):
      checkpoints.wait()
  assert started[0].daemon  # The end of a process waits for all others.
