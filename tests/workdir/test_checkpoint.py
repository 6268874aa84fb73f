import errno
import gc

import jax
import numpy as np
import optax
import pytest

from swae_jax import errors
from swae_jax.host import faults
from swae_jax.systems import base
from swae_jax.training import step
from swae_jax.workdir import checkpoint, digests


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


def saved(directory, *states):
  for state in states:
    with checkpoint.Checkpoints(directory) as checkpoints:
      checkpoints.save(state)


def restored(directory, like):
  with checkpoint.Checkpoints(directory) as checkpoints:
    return checkpoints.restore(like)


def test_newest_state_comes_back_bit_for_bit(tmp_path):
  states = [make_state(seed) for seed in (3, 5, 8)]
  saved(tmp_path, *states)
  found = restored(tmp_path, make_state(0))
  jax.tree.map(np.testing.assert_array_equal, found, states[-1])
  assert digests.summary(found) == digests.summary(states[-1])
  assert jax.tree.structure(found) == jax.tree.structure(states[-1])


def test_only_the_newest_are_kept(tmp_path):
  saved(tmp_path, *map(make_state, (1, 2, 3, 4)))
  assert {p.name for p in tmp_path.iterdir()} == {'3', '4'}


def test_nothing_saved_is_nothing_restored(tmp_path):
  assert restored(tmp_path, make_state()) is None


def flip(path, position):
  content = bytearray(path.read_bytes())
  content[position % len(content)] ^= 1
  path.write_bytes(content)


# Orbax leaves an event loop behind when a file cannot be read.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
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
      found = restored(directory, make_state(0))
    except errors.DamagedData as e:
      assert 'checkpoint' in str(e) and '\n' not in str(e)
      refused += 1
    else:
      if found is not None:
        assert digests.summary(found) == digests.summary(state)
  gc.collect()
  assert refused  # Else the loop above has tested nothing.


def test_a_flipped_value_is_named(tmp_path, monkeypatch):
  state = make_state(1)
  with monkeypatch.context() as m:  # Digests of another state.
    other = make_state(2)._replace(step=state.step)
    of = digests.of
    m.setattr(digests, 'of', lambda tree: of(other))
    saved(tmp_path, state)
  with pytest.raises(errors.DamagedData, match='model/dense/kernel: digest'):
    restored(tmp_path, make_state(0))


def test_another_system_is_refused(tmp_path):
  saved(tmp_path, make_state(1))
  with pytest.raises(errors.UserError, match=r'float32\[3\] there, .*\[4\]'):
    restored(tmp_path, make_state(0, width=4))
  odd = make_state(0)
  odd.variables.params['model']['extra'] = np.zeros(1, np.float32)
  with pytest.raises(errors.UserError, match='extra is in only one'):
    restored(tmp_path, odd)


def test_digest_tells_type_and_shape_apart():
  x = np.zeros((2, 3), np.float32)
  others = x.T, x.astype(np.int32), x.ravel()
  assert len({digests.digest(y) for y in (x, *others)}) == 4


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_where_all_are_damaged_nothing_is_touched(tmp_path):
  saved(tmp_path, make_state(1), make_state(2))
  for name in '12':
    (tmp_path / name / 'variables' / 'manifest.ocdbt').write_bytes(b'')
  said = []
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    with pytest.raises(errors.DamagedData, match='no usable checkpoint of 2 .*'
                       'checkpoint 2 is.*nothing was deleted; --restart') as e:
      checkpoints.restore(make_state(0), said.append)
  assert e.value.code == 65 and not said
  assert {p.name for p in tmp_path.iterdir()} == {'1', '2'}
  gc.collect()


def test_what_kills_leave_is_cleared_away(tmp_path):
  saved(tmp_path, make_state(1))
  for name in ('2.orbax-checkpoint-tmp-17', '0.deleted', 'corrupt-5'):
    (tmp_path / name).mkdir()
  assert restored(tmp_path, make_state(0)).step == 1
  saved(tmp_path, make_state(3))
  assert {p.name for p in tmp_path.iterdir()} == {'1', '3', 'corrupt-5'}


def test_a_save_that_failed_is_told_once_and_can_be_made_again(
    tmp_path, monkeypatch):
  def full(name):
    raise OSError(errno.ENOSPC, 'No space left on device')
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    with monkeypatch.context() as m:
      m.setattr(faults, 'point', full)
      checkpoints.save(make_state(4))
      with pytest.raises(errors.SaveFailed, match='disk full: save at 4 fail'):
        checkpoints.wait()
      checkpoints.wait()
    assert checkpoints.last is None and not checkpoints.steps()
    checkpoints.again()
    assert checkpoints.last == 4 and checkpoints.failed is None
  assert restored(tmp_path, make_state(0)).step == 4


def test_what_was_learned_can_be_read_alone(tmp_path):
  saved(tmp_path, make_state(1))
  with checkpoint.Checkpoints(tmp_path) as checkpoints:
    found = checkpoints.restore({'variables': make_state(0).variables},
                                items=('variables',))
  jax.tree.map(np.testing.assert_array_equal, found['variables'],
               make_state(1).variables)
