"""Checkpoints: Orbax's manager keeps them, and a digest guards every array.

Orbax never leaves half a checkpoint behind, but it loads a flipped bit without
a word.  So the digest of each array is saved beside the arrays, and checked
when they are read.  A save runs in a thread, and counts once `wait` returns.
"""
from collections.abc import Callable, Sequence
from concurrent import futures
import functools
import itertools
import time
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from swae_jax import errors
from swae_jax.workdir import digests, storage

# A trained system is loaded from 'variables' alone.
ITEMS = ('variables', 'training')
DELETED = 'deleted'  # Where a checkpoint is while it is being deleted.
PAUSES = (.2, 1., 5.)  # Seconds before a failed write is tried again.


class _Manager(ocp.CheckpointManager):
  """Orbax's manager for one process: all of them hold the same state."""

  def __init__(self, directory: storage.Path, max_to_keep: int | None):
    own = jax.process_index()
    write = max_to_keep is not None and own == 0
    if write:
      _tidy(directory)
    # Orbax's asynchronous saving holds the training loop up for 12 to 46 ms at
    # each save, a thread of our own for none.
    super().__init__(
        directory, item_names=(*ITEMS, 'digests'),
        options=ocp.CheckpointManagerOptions(
            max_to_keep=max_to_keep, create=False,
            cleanup_tmp_directories=write, todelete_subdir=DELETED,
            enable_async_checkpointing=False, save_root_metadata=False,
            multiprocessing_options=ocp.options.MultiprocessingOptions(
                primary_host=own, active_processes={own},
                barrier_sync_key_prefix=f'process_{own}')))

  def reached_preemption(self, step: int) -> bool:
    return False  # All processes must ask at the same step: the loop does.


class Checkpoints:
  """The newest states of a run, in a folder; one process writes.

  Attributes:
    last: the step of the newest checkpoint that is known to be whole, or None.
    failed: the state of the last save, if that has failed, or None.
  """

  def __init__(self, directory: storage.Path, max_to_keep: int | None = None):
    """Opens a folder of checkpoints; without max_to_keep only to read."""
    if not storage.in_bucket(directory):
      directory = directory.resolve()  # Orbax takes absolute paths alone.
    self.directory, self.max_to_keep = directory, max_to_keep
    self.last: int | None = None
    self.failed: Any = None
    self._saving: tuple[Any, futures.Future] | None = None
    self._thread = futures.ThreadPoolExecutor(1)

  @functools.cached_property
  def _manager(self) -> _Manager:
    return _Manager(self.directory, self.max_to_keep)

  def steps(self) -> list[int]:
    """The steps of all committed checkpoints, the oldest first."""
    self._manager.reload()
    return sorted(self._manager.all_steps())

  def save(self, state: Any) -> None:
    """Starts to save a state of host arrays, once the save before has ended."""
    self.wait()
    self._saving = state, self._thread.submit(self._write, state)

  def again(self) -> None:
    """Saves once more what has failed, and waits; raises SaveFailed."""
    if self.failed is not None:
      self.save(self.failed)
    self.wait()

  def wait(self) -> None:
    """Returns when the last save is committed; raises SaveFailed, once."""
    if self._saving is None:
      return
    (state, written), self._saving = self._saving, None
    try:
      written.result()
    except Exception as e:  # TensorStore raises types of its own.
      self.failed = state
      raise failure(e, int(state.step)) from e
    self.last, self.failed = int(state.step), None

  def _write(self, state: Any) -> None:
    """Writes a state; repeats what fails, since some failures pass."""
    if jax.process_index():
      return
    for pause in (*PAUSES, None):
      try:
        self._write_once(int(state.step), digests.named(state))
        return
      except Exception as e:
        if pause is None or errors.is_full(e):
          raise
        time.sleep(pause)
      finally:
        _tidy(self.directory)

  def _write_once(self, step: int, arrays: dict[str, np.ndarray]) -> None:
    self.directory.mkdir(parents=True, exist_ok=True)
    _tidy(self.directory)
    if step in self.steps():  # The best state, saved before a restart.
      self._manager.delete(step)
    self._manager.save(step, force=True, args=ocp.args.Composite(
        digests=ocp.args.JsonSave(digests.of(arrays)), **{
            item: ocp.args.StandardSave(_of(item, arrays)) for item in ITEMS}))

  def restore(self, template: Any,
              print_line: Callable[[str], None] | None = None) -> Any:
    """The newest state, or None if there is none.

    Args:
      template: a tree of the same form, of arrays or of shapes.
      print_line: takes a line on each damaged checkpoint, which is moved aside
        where an older one is whole.  Without it the newest must be whole.

    Raises:
      errors.DamagedData: no checkpoint is whole; all stay as they are.
      errors.UserError: the checkpoint is of another system.
    """
    steps, damaged = self.steps(), {}
    for step in reversed(steps):
      try:
        arrays = self.read(step)
      except errors.DamagedData as e:
        if print_line is None:
          raise
        damaged[step] = e
        continue
      state = digests.rebuild(template, arrays, self.directory / str(step))
      if print_line:
        for bad, error in damaged.items():
          print_line(f'{error}; moved to {self._set_aside(bad)}; using {step}')
      self.last = step
      return state
    if damaged:
      raise errors.DamagedData(
          f'no usable checkpoint of {len(steps)} in {self.directory}: '
          f'{damaged[steps[-1]]}; nothing was deleted; --restart to begin '
          'again')
    return None

  def read(self, step: int, items: Sequence[str] = ITEMS
           ) -> dict[str, np.ndarray]:
    """{name: array} of a step; raises DamagedData."""
    try:
      found = self._manager.restore(step, args=ocp.args.Composite(
          digests=ocp.args.JsonRestore(),
          **{item: ocp.args.StandardRestore() for item in items}))
      arrays = {name: np.asarray(x) for item in items
                for name, x in found[item].items()}
      recorded = {name: digest for item in items
                  for name, digest in _of(item, found['digests']).items()}
    except (MemoryError, PermissionError):
      raise
    except Exception as e:  # Orbax raises many types on damaged files.
      raise errors.DamagedData(
          f'checkpoint {step} is damaged ({_brief(e)})') from e
    if bad := digests.differing(arrays, recorded):
      more = f', and {len(bad) - 1} more' if bad[1:] else ''
      raise errors.DamagedData(
          f'checkpoint {step} is damaged ({bad[0]}: digest differs{more})')
    return arrays

  def _set_aside(self, step: int) -> str:
    """Moves a damaged checkpoint out of the way; returns its new name."""
    new = next(path for i in itertools.count() if not (
        path := self.directory / f'corrupt-{step}{f"-{i}" * bool(i)}').exists())
    if jax.process_index() == 0:
      storage.move(self.directory / str(step), new)
    return new.name

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, *exception: Any) -> None:
    self._thread.shutdown()
    self._manager.close()
    if exception[0] is None:
      self.wait()


def failure(error: BaseException, step: int) -> errors.SaveFailed:
  """The SaveFailed for the state of a step."""
  what = 'disk full' if errors.is_full(error) else _brief(error)
  return errors.SaveFailed(f'{what}: save at {step} failed')


def _tidy(directory: storage.Path) -> None:
  """Removes what is left of saves and deletions: the room is needed."""
  for path in (directory / DELETED, *directory.glob('*.orbax-checkpoint-tmp*')):
    storage.remove(path)


def _of(item: str, named: dict[str, Any]) -> dict[str, Any]:
  """The part of an item in what all arrays have by name."""
  return {name: x for name, x in named.items()
          if name.startswith('variables/') == (item == 'variables')}


def _brief(error: BaseException) -> str:
  """The type of an error and the first words of its message."""
  text = ' '.join(str(error).split())[:80]
  return f'{type(error).__name__}: {text}'.removesuffix(': ')
