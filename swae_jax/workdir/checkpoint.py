"""Checkpoints: Orbax for atomic writes, and a digest of every array.

Orbax never leaves half a checkpoint behind, but it loads a flipped bit
without a word, so each array's sha256 is saved beside it and checked.  A save
runs in a thread of its own; it counts when `wait` has returned.
"""
from concurrent import futures
import re
import time

import jax
import numpy as np
import orbax.checkpoint as ocp

from swae_jax import errors
from swae_jax.host import faults
from swae_jax.workdir import digests, storage

ITEMS = ('variables', 'training')
COMMITTED = 'commit_success.txt'  # Orbax writes it last.
PAUSES = (.2, 1., 5.)  # Seconds before a failed write is tried again.


def _checkpointer():
  """Orbax, for this process alone: the state is the same in all of them."""
  own = jax.process_index()
  options = ocp.options.MultiprocessingOptions(
      primary_host=own, active_processes={own},
      barrier_sync_key_prefix=f'process_{own}')
  return ocp.Checkpointer(
      ocp.CompositeCheckpointHandler(
          *ITEMS, 'digests',
          composite_options=ocp.CompositeOptions(
              multiprocessing_options=options)),
      multiprocessing_options=options)


def evaluated(workdir, select):
  """The folder with the checkpoint by which a run is judged."""
  workdir = storage.path(workdir)
  best = select == 'best' and (workdir / 'best').is_dir()
  return workdir / ('best' if best else 'checkpoints')


class Checkpoints:
  """The newest states of a run, in `directory`; one process writes.

  What a system has learned and what only training needs are separate items,
  so that the first can be read alone.

  Attributes:
    last: the step of the newest checkpoint that is known to be whole, or None.
    failed: the state of the last save, if that has failed, or None.
  """

  def __init__(self, directory, keep=2):
    self.directory = storage.path(directory)
    if not storage.in_bucket(directory):  # Orbax wants it absolute.
      self.directory = self.directory.resolve()
    self.keep = keep
    self.last = self.failed = self._saving = None
    self._orbax = _checkpointer()
    self._thread = futures.ThreadPoolExecutor(1)
    self._written = None

  def latest_step(self):
    """The newest step that has been committed, or None."""
    return max(self.steps(), default=None)

  def steps(self):
    """The steps of what has been committed, the oldest first."""
    return sorted(int(p.name) for p in self._numbered() if _committed(p))

  def _numbered(self):
    if not self.directory.is_dir():
      return []
    return [p for p in self.directory.iterdir() if p.name.isdigit()]

  def save(self, state):
    """Starts to save a state of host arrays, once the one before has ended."""
    self.wait()
    self._saving = state
    if jax.process_index() == 0:
      self._written = self._thread.submit(self._write, state)

  def again(self):
    """Returns when all is there, also what has failed; raises SaveFailed."""
    if self.failed is not None:
      self.save(self.failed)
    self.wait()

  def wait(self):
    """Returns when all that was saved is there; raises SaveFailed, once."""
    state, self._saving = self._saving, None
    if state is None:
      return
    try:
      if self._written is not None:
        self._written.result()
    except Exception as e:  # TensorStore has types of its own.
      self.failed = state
      raise failure(e, int(state.step)) from e
    self.last, self.failed = int(state.step), None

  def _write(self, state):
    """Writes a state, after failures that may pass again."""
    step = int(state.step)
    arrays = digests.named(state)
    args = ocp.args.Composite(
        **{item: ocp.args.StandardSave({
            k: x for k, x in arrays.items() if _item(k) == item})
           for item in ITEMS},
        digests=ocp.args.JsonSave(digests.of(state)))
    for pause in (*PAUSES, None):
      try:
        self.tidy()
        faults.point('save')
        # After a restart the `best` of a step may be there: the same bits.
        self._orbax.save(self.directory / str(step), args=args, force=True)
        faults.point('commit')
        break
      except Exception as e:
        if pause is None or errors.is_full(e):
          self.tidy()
          raise
        time.sleep(pause)
    for old in self.steps()[:-self.keep]:
      self._delete(self.directory / str(old))

  def _delete(self, path):
    # A kill must not leave half a checkpoint under the name of a whole one.
    if storage.in_bucket(path):
      (path / COMMITTED).unlink()
    else:
      path = path.rename(path.with_name(f'{path.name}.deleted'))
    faults.point('prune')
    storage.remove(path)

  def tidy(self):
    """Removes what a kill or a failure has left of a save or a deletion."""
    for path in self.directory.glob('*.*'):
      if re.fullmatch(r'\d+\.(orbax-checkpoint-tmp.*|deleted)', path.name):
        storage.remove(path)
    for path in self._numbered():
      if not _committed(path):
        storage.remove(path)

  def restore(self, like, say=None, items=ITEMS):
    """The newest state, shaped `like` this one, or None if there is none.

    Of fewer `items`, `like` holds those alone: {'variables': ...}.

    With `say`, a function of a line, damaged checkpoints are moved aside where
    an older one is whole, and it is told so.  Without, the newest must be.
    """
    damaged = {}
    steps = self.steps()[::-1]
    for step in steps:
      try:
        arrays = self.read(step, items)
      except errors.DamagedData as e:
        if say is None:
          raise
        damaged[step] = e
        continue
      state = rebuild(like, arrays, self.directory / str(step))
      for bad, error in damaged.items():
        say(f'{error}; moved to {self._aside(bad)}; using {step}')
      self.last = step
      return state
    if damaged:
      raise errors.DamagedData(
          f'no usable checkpoint of {len(steps)} in {self.directory}: '
          f'{damaged[steps[0]]}; nothing was deleted; --restart to begin again')
    return None

  def read(self, step, items=ITEMS):
    """{name: array} of a step; raises DamagedData."""
    where = f'checkpoint {step} is damaged'
    path = self.directory / str(step)
    try:
      found = self._orbax.restore(path, args=ocp.args.Composite(
          **{item: ocp.args.StandardRestore() for item in items},
          digests=ocp.args.JsonRestore()))
      arrays = {name: np.asarray(x) for item in items
                for name, x in found[item].items()}
      recorded = {name: d for name, d in found['digests'].items()
                  if _item(name) in items}
    except (MemoryError, PermissionError):
      raise
    except Exception as e:  # Orbax raises many types on damaged files.
      raise errors.DamagedData(f'{where} ({_brief(e)})') from e
    bad = [name for name in sorted(recorded.keys() | arrays.keys())
           if name not in arrays or name not in recorded
           or digests.digest(arrays[name]) != recorded[name]]
    if bad:
      more = f', and {len(bad) - 1} more' if bad[1:] else ''
      raise errors.DamagedData(f'{where} ({bad[0]}: digest differs{more})')
    return arrays

  def _aside(self, step):
    """Moves a checkpoint out of the way; the name that it has then."""
    name, i = f'corrupt-{step}', 1
    while (self.directory / name).exists():
      name, i = f'corrupt-{step}-{i}', i + 1
    if jax.process_index() == 0:
      storage.move(self.directory / str(step), self.directory / name)
    return name

  def __enter__(self):
    return self

  def __exit__(self, *exception):
    self._thread.shutdown()
    self._orbax.close()
    if exception[0] is None:
      self.wait()


def failure(error, step):
  """What to raise where the state of a step could not be saved."""
  what = 'disk full' if errors.is_full(error) else _brief(error)
  return errors.SaveFailed(f'{what}: save at {step} failed')


def _committed(path):
  """Whether a checkpoint is whole: its name says so, in a bucket a file."""
  return not storage.in_bucket(path) or (path / COMMITTED).exists()


def _item(name):
  return 'variables' if name.startswith('variables/') else 'training'


def _brief(error):
  """The type of an error and the first words that it says."""
  text = ' '.join(str(error).split())
  return f'{type(error).__name__}: {text[:80]}' if text else (
      type(error).__name__)


def rebuild(like, arrays, where, advice='use another --workdir'):
  """Arrays by name as a tree `like` this one; refuses those of another."""
  expected = digests.named(like)
  if expected.keys() != arrays.keys():
    odd = min(expected.keys() ^ arrays.keys())
    raise errors.UserError(
        f'{where} is of another system: {odd} is in only one of the two; '
        f'{advice}')
  for name, x in expected.items():
    if arrays[name].shape != x.shape or arrays[name].dtype != x.dtype:
      raise errors.UserError(
          f'{where} is of another system: {name} is {arrays[name].dtype}'
          f'{list(arrays[name].shape)} there, {x.dtype}{list(x.shape)} now; '
          f'{advice}')
  return jax.tree.unflatten(jax.tree.structure(like),
                            [arrays[name] for name in expected])
