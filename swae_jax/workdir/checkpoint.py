"""Checkpoints: Orbax's manager keeps them, and a digest guards every array.

Orbax never leaves half a checkpoint behind, but it loads a flipped bit without
a word.  So the digest of each array is saved beside the arrays, and checked
when they are read.  Beside the digests lies a record of the checkpoint: its
step, its run (see identity.py), and the digests of the logs up to its step.
A save runs in a thread, and counts once `wait` returns.

Orbax syncs neither its metadata nor the names of its folders.  So a checkpoint
counts, and older ones are deleted, once all its files are known to be on the
disk.
"""
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
import contextlib
import functools
import os
import threading
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from swae_jax import errors
from swae_jax.host import signals
from swae_jax.workdir import digests, files, identity, storage

# A trained system is loaded from 'variables' alone.
ITEMS = ('variables', 'training')
RECORD = 'record', 'record_sha256'  # Two keys beside the digests.
GLOBBED = '*?[\\'  # Orbax takes these in the path of a checkpoint for patterns.
DELETED = 'deleted'  # Where a checkpoint is while it is being deleted.
PAUSES = (.2, 1., 5.)  # Seconds before what has failed is tried again.
LISTS = 20  # How often a reader looks for a checkpoint that stays.


class Deleted(errors.Busy):
  """The run has deleted a checkpoint while another process read it."""


class _Manager(ocp.CheckpointManager):
  """Orbax's manager for one process: all of them hold the same state."""

  def __init__(self, directory: storage.Path, write: bool):
    own = jax.process_index()
    write = write and own == 0
    if write:
      _tidy(directory)
    # Orbax's asynchronous saving holds the training loop up for 12 to 46 ms at
    # each save, a thread of our own for none.
    super().__init__(
        directory, item_names=(*ITEMS, 'digests'),
        options=ocp.CheckpointManagerOptions(
            max_to_keep=None, create=False,  # `_prune` deletes.
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
    failed: what the last save was to write, if it has failed, or None.
    record: the record of the checkpoint that was read last.
    own: the run; the checkpoints of others are refused.
  """

  def __init__(self, directory: storage.Path, max_to_keep: int | None = None,
               own: identity.Identity | None = None,
               check: Callable[[], None] = lambda: None):
    """Opens a folder of checkpoints; without max_to_keep only to read.

    Args:
      directory: the folder.
      max_to_keep: the number of checkpoints that stay.
      own: the run, whose checkpoints alone count.
      check: a lock.Check, called before each write.
    """
    check_path(directory, '\\' if max_to_keep is None else GLOBBED)
    if not storage.in_bucket(directory):
      if os.path.lexists(directory) and not directory.is_dir():
        raise errors.DamagedData(f'{directory} must be a folder; move away '
                                 'what is there')
      directory = directory.resolve()  # Orbax takes absolute paths alone.
    self.directory, self.max_to_keep, self.own = directory, max_to_keep, own
    self.check = check
    self.last: int | None = None
    self.failed: tuple[Any, Any] | None = None
    self.record: dict[str, Any] = {}
    self._saving: tuple[tuple[Any, Any], futures.Future] | None = None

  @functools.cached_property
  def _manager(self) -> _Manager:
    return _Manager(self.directory, self.max_to_keep is not None)

  def steps(self) -> list[int]:
    """The names of all committed checkpoints, the oldest first.

    The name of a checkpoint is its step, unless somebody has renamed it; the
    step inside counts.
    """
    self._manager.reload()
    return sorted(self._manager.all_steps(),
                  key=lambda name: (self.step_of(name), name))

  def record_of(self, name: int) -> dict[str, Any]:
    """The record of a checkpoint; {} if it has none, or is damaged."""
    with contextlib.suppress(Exception):  # `read` tells what the damage is.
      return self._digests(name)[1]
    return {}

  def step_of(self, name: int) -> int:
    """The step that a checkpoint records, or its name."""
    return self.record_of(name).get('step', name)

  def save(self, state: Any, logs: Mapping[str, Any] | None = None) -> None:
    """Starts to save a state of host arrays, once the save before has ended.

    Args:
      state: the state.
      logs: {name: digest} of the logs up to this state, for the record.
    """
    self.wait()
    record = {'step': int(state.step), 'logs': dict(logs or {}),
              **(self.own.stamp() if self.own else {})}
    written = futures.Future()

    def write() -> None:
      try:
        written.set_result(self._write(state, record))
      except BaseException as e:
        written.set_exception(e)
    # A save that failed leaves threads of Orbax that wait for minutes; they are
    # daemons because this one is, so the process can end.
    threading.Thread(target=write, daemon=True).start()
    self._saving = (state, logs), written

  def again(self) -> None:
    """Saves once more what has failed, and waits; raises SaveFailed."""
    if self.failed is not None:
      self.save(*self.failed)
    self.wait()

  def holds_any(self) -> bool:
    """Whether a checkpoint is there, or is being written."""
    return any(x is not None for x in (self.last, self.failed, self._saving))

  def wait(self) -> None:
    """Returns when the last save is committed; raises SaveFailed, once."""
    if self._saving is None:
      return
    (given, written), self._saving = self._saving, None
    step = int(given[0].step)
    try:
      written.result()
    except errors.Busy:
      raise
    except Exception as e:  # TensorStore raises types of its own.
      self.failed = given
      raise failure(e, step) from e
    self.last, self.failed = step, None

  def _write(self, state: Any, record: dict[str, Any]) -> None:
    """Writes a state; repeats what fails, since some failures pass.

    After a signal a failure is repeated only once, and soon.
    """
    if jax.process_index():
      return
    step = int(state.step)
    for pause in (*PAUSES, None):
      self.check()
      try:
        self._write_once(record, digests.named(state))
        self._check_after(step)
        self._prune(step)
        return
      except errors.Busy:
        self._check_after(step)
        raise
      except Exception as e:
        self._check_after(step)
        _tidy(self.directory)
        if (pause is None or errors.is_full(e)
            or signals.requested() and pause > PAUSES[0]):
          raise
        signals.sleep(pause)

  def _check_after(self, step: int) -> None:
    """Checks, and removes what a save has made where no run is any more."""
    try:
      self.check()
    except errors.Busy:
      if not (self.directory.parent / 'lock').exists():
        _tidy(self.directory)
        storage.remove(self.directory / str(step))
        with contextlib.suppress(OSError):  # They hold something else.
          self.directory.rmdir()
          self.directory.parent.rmdir()
      raise

  def _write_once(self, record: dict[str, Any],
                  arrays: dict[str, np.ndarray]) -> None:
    """Writes a checkpoint; it is on the disk when this returns."""
    step = record['step']
    files.make_folder(self.directory)
    _tidy(self.directory)
    self._manager.reload()
    # The best state may have been saved before a restart.
    if step in self._manager.all_steps():
      self._manager.delete(step)
    self._manager.save(step, force=True, args=ocp.args.Composite(
        digests=ocp.args.JsonSave({
            **digests.of(arrays), **dict(zip(
                RECORD, (record, digests.of_json(record)), strict=True))}), **{
            item: ocp.args.StandardSave(_of(item, arrays)) for item in ITEMS}))
    files.sync_all(self.directory / str(step))
    if self.last is None:  # The first save shows whether it can be read.
      self.read(step)

  def _prune(self, step: int) -> None:
    """Deletes the oldest checkpoints, and not the one that is just written."""
    others = [other for other in self.steps() if other != step]
    for old in others[:max(0, len(others) + 1 - (self.max_to_keep or 1))]:
      with contextlib.suppress(OSError):  # The next save tries it again.
        self._manager.delete(old)
    _tidy(self.directory)

  def restore(self, template: Any,
              print_line: Callable[[str], None] | None = None) -> Any:
    """The newest state, or None if there is none.

    Args:
      template: a tree of the same form, of arrays or of shapes.
      print_line: takes a line on each damaged checkpoint, which is moved aside
        where an older one is whole.  Without it the newest must be whole.

    Raises:
      errors.DamagedData: no checkpoint is whole, or one is of another run;
        all stay as they are.
      errors.UserError: the checkpoint is of another system.
    """
    if print_line is None:
      found = self.newest()
      return found and digests.rebuild(
          template, found[1], self.directory / str(found[0]))
    steps, damaged = self.steps(), {}
    for step in reversed(steps):
      try:
        arrays = self.read(step)
      except errors.DamagedData as e:
        if isinstance(e, identity.Foreign):
          raise
        damaged[step] = e
        continue
      state = digests.rebuild(template, arrays, self.directory / str(step))
      for bad, error in damaged.items():
        print_line(f'{error}; moved to {self._set_aside(bad)}; using {step}')
      self.last = int(state.step)
      return state
    if damaged:
      raise errors.DamagedData(
          f'no usable checkpoint of {len(steps)} in {self.directory}: '
          f'{damaged[steps[-1]]}; nothing was deleted; --restart to begin '
          'again')
    return None

  def newest(self, items: Sequence[str] = ITEMS
             ) -> tuple[int, dict[str, np.ndarray]] | None:
    """The newest step and its {name: array}, or None if there is none.

    A run that goes on meanwhile may delete what this function has listed, so it
    lists again.

    Raises:
      errors.Busy: the run deletes faster than this process can read.
      errors.DamagedData: the checkpoint is damaged.
    """
    for last in (*[False] * (LISTS - 1), True):
      steps = self.steps()
      if not steps:
        return None
      try:
        return steps[-1], self.read(steps[-1], items)
      except Deleted:
        if last:
          raise
    return None

  def read(self, step: int, items: Sequence[str] = ITEMS
           ) -> dict[str, np.ndarray]:
    """{name: array} of a step.

    Raises:
      errors.DamagedData: its content is wrong, or is another run's.
      Deleted: the run has deleted it meanwhile.
      OSError: the storage fails, also after pauses.
    """
    place = self.directory / str(step)
    before = _inode(place)
    for pause in (*PAUSES, None):
      try:
        return self._read(step, items)
      except errors.DamagedData as e:
        if _inode(place) != before or before is None:
          raise Deleted(
              f'checkpoint {step} was deleted by the run, which goes on '
              'meanwhile; try again, or keep more of them by '
              '--config.train.max_to_keep') from e
        number = errors.storage_fault(e)
        if number is None:
          raise
        if pause is None or signals.requested():
          raise OSError(number, f'{os.strerror(number)}, so checkpoint {step} '
                        f'cannot be read', str(place)) from e
        signals.sleep(pause)
    raise AssertionError  # The last pause is None.

  def _read(self, step: int, items: Sequence[str]) -> dict[str, np.ndarray]:
    try:
      every, record = self._digests(step)
      found = self._manager.restore(step, args=ocp.args.Composite(
          **{item: ocp.args.StandardRestore() for item in items}))
      arrays = {name: np.asarray(x) for item in items
                for name, x in found[item].items()}
      recorded = {name: digest for item in items
                  for name, digest in _of(item, every).items()}
    except (MemoryError, PermissionError):
      raise
    except Exception as e:  # Orbax raises many types on damaged files.
      raise errors.DamagedData(
          f'checkpoint {step} is damaged ({_brief(e)})') from e
    if bad := digests.differing(arrays, recorded):
      more = f', and {len(bad) - 1} more' if bad[1:] else ''
      raise errors.DamagedData(
          f'checkpoint {step} is damaged ({bad[0]}: digest differs{more})')
    if not record and (inside := int(arrays.get('step', step))) != step:
      raise errors.DamagedData(
          f'checkpoint {step} is damaged (it holds the state of step {inside})')
    if self.own:
      self.own.check(self.directory / str(step), record)
    self.record = record
    return arrays

  def _digests(self, name: int) -> tuple[dict[str, str], dict[str, Any]]:
    """The digests of the arrays, and the record, which old ones lack."""
    found = dict(self._manager.restore(name, args=ocp.args.Composite(
        digests=ocp.args.JsonRestore()))['digests'])
    record, digest = (found.pop(key, None) for key in RECORD)
    if digest != (record and digests.of_json(record)):
      raise ValueError('the digest of its record differs')
    return found, record or {}

  def drop(self, step: int) -> None:
    """Deletes a checkpoint, in one move."""
    self._manager.delete(step)
    _tidy(self.directory)

  def put_right(self, print_line: Callable[[str], None]) -> None:
    """Names checkpoints after their steps, if somebody has renamed them."""
    for name in self.steps():
      if (step := self.step_of(name)) != name:
        right = self.directory / str(step)
        new = (self._set_aside(name) if right.exists()
               else self._move(name, right))
        print_line(f'checkpoint {name} holds step {step}; moved to {new}')

  def _set_aside(self, step: int) -> str:
    """Moves a checkpoint out of the way; returns its new name."""
    return self._move(step, files.aside(self.directory / str(step)))

  def _move(self, step: int, new: storage.Path) -> str:
    if jax.process_index() == 0:
      storage.move(self.directory / str(step), new)
    return new.name

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, *exception: Any) -> None:
    if self._saving:
      futures.wait(self._saving[1:])
    self._manager.close()
    if exception[0] is None:
      self.wait()


def check_path(path: storage.Path, refused: str = GLOBBED) -> None:
  """Refuses a path that Orbax takes for a pattern."""
  whole = str(path) if storage.in_bucket(path) else str(path.resolve())
  if odd := [c for c in refused if c in whole]:
    raise errors.UserError(
        f'{path}: checkpoints cannot lie below a folder with {odd[0]} in its '
        f'name ({whole}); give another --workdir')


def failure(error: BaseException, step: int) -> errors.SaveFailed:
  """The SaveFailed for the state of a step."""
  what = 'disk full' if errors.is_full(error) else _brief(error)
  return errors.SaveFailed(f'{what}: save at {step} failed')


def _inode(folder: storage.Path) -> Any:
  """Tells a folder from another of the same name; None: there is none."""
  if storage.in_bucket(folder):
    return folder.exists() or None
  try:
    found = os.stat(folder)
  except (FileNotFoundError, NotADirectoryError):
    return None
  return found.st_dev, found.st_ino


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
