"""The workdir of a run while it trains: opened, saved, set aside.

A checkpoint is written only after the metrics up to its step and the best state
are on disk.  So a run that goes on from a checkpoint misses neither.
"""
from collections.abc import Callable
import contextlib
import itertools
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np

from swae_jax import errors
from swae_jax.workdir import (
    checkpoint,
    digests,
    files,
    identity,
    metrics_log,
    storage,
)
from swae_jax.workdir import lock as lock_lib

# The files and folders of a run.  `set_aside` moves them in this order: the
# first ones make a run go on, so an interrupted move leaves no run that could
# go on from a part of another.
CONTENT = ('results.json', 'checkpoints', 'best', 'config.json', 'run.json',
           'metrics.jsonl', 'valid.jsonl', 'config_changes.jsonl', 'images',
           'tensorboard')
SECTIONS = 'name', 'seed', 'latents', 'data', 'system', 'train', 'evals'


class Workdir(NamedTuple):
  """The open files of a run; from them the run can go on after a kill."""
  folder: storage.Path
  checkpoints: checkpoint.Checkpoints
  best: checkpoint.Checkpoints  # The state of the lowest validation loss.
  metrics: metrics_log.Metrics
  valid: metrics_log.Metrics
  finite: list[str]  # names of the arrays that must be finite, loss first
  save_every: int
  steps: int  # The number of the last step.
  print_line: Callable[[str], None]
  check: lock_lib.Check  # Called before each write.

  def save(self, state: Any) -> None:
    """Starts to save a state; prints a failure, and the run goes on."""
    step = int(state.step)
    following = (step // self.save_every + 1) * self.save_every
    self._report(self.checkpoints.wait, step)
    self._report(lambda: self._start(state), min(following, self.steps))

  def _report(self, action: Callable[[], None], next_step: int) -> None:
    """Does an action; if a save fails, prints the step of the next save."""
    try:
      action()
    except errors.SaveFailed as e:
      self.print_line(f'{e}, {self._last_good()}, trying again at {next_step}')

  def save_best(self, state: Any) -> None:
    """Starts to save the state of the lowest validation loss so far."""
    with contextlib.suppress(errors.SaveFailed):  # That state was not the best.
      self.best.wait()
    self.best.save(state)

  def save_last(self, state: Any) -> None:
    """Saves a state; it is on disk when this returns.  Raises SaveFailed."""
    with contextlib.suppress(errors.SaveFailed):  # This state is newer.
      self.checkpoints.wait()
    try:
      self._start(state)
      self.checkpoints.wait()
    except errors.SaveFailed as e:
      raise errors.SaveFailed(f'{e}, {self._last_good()}; make room and run '
                              'the same command to go on') from e

  def _start(self, state: Any) -> None:
    """Starts to save a state, after the metrics and the best state."""
    self._check_finite(state)
    self.check()
    try:
      self.metrics.sync()
      self.valid.sync()
    except OSError as e:
      raise checkpoint.failure(e, int(state.step)) from e
    self.best.again()
    self.checkpoints.save(state, {
        log.path.name: log.digest() for log in (self.metrics, self.valid)})

  def _check_finite(self, state: Any) -> None:
    # The step tests the gradients; an optimizer can overflow after them.
    for name, x in digests.named(state).items():
      if x.dtype.kind == 'f' and not np.isfinite(x).all():
        raise errors.Diverged(
            f'{name} is not finite at step {int(state.step)}, which is not '
            f'saved; {self._last_good()}; try a smaller '
            '--config.optimizers.model.learning_rate')

  def _last_good(self) -> str:
    last = self.checkpoints.last
    return 'none is there yet' if last is None else f'last good {last}'


def open_workdir(stack: contextlib.ExitStack, folder: storage.Path,
                 template: Any, options: Any, steps: int, finite: list[str],
                 print_line: Callable[[str], None], check: lock_lib.Check,
                 own: identity.Identity | None = None) -> tuple[Any, Workdir]:
  """Opens the files of a run, and reads the state that it goes on from.

  Args:
    stack: closes the files.
    folder: the workdir.
    template: the state as shapes alone.
    options: config.train.
    steps: the number of the last step.
    finite: names of the arrays that must be finite, the loss first.
    print_line: takes a line for the user.
    check: called before each write, a lock.Check.
    own: the run, as run.json is about to name it.

  Returns:
    The state, None for a new run, and the opened workdir.

  Raises:
    errors.DamagedData: no checkpoint, or not the best state, is whole.
  """
  write = jax.process_index() == 0
  if write:
    for path in folder.glob('*.partial'):  # A kill has left them.
      path.unlink()
  checkpoints, best = (
      stack.enter_context(checkpoint.Checkpoints(
          folder / name, count, own, check))
      for name, count in (('checkpoints', options.max_to_keep), ('best', 1)))
  state = checkpoints.restore(template, print_line)
  step = int(state.step) if state else 0
  for kept in (checkpoints, best):
    kept.put_right(print_line)
  best.last = max((s for s in best.steps() if s <= step), default=None)
  for later in best.steps():
    if later > step and write:  # This course has not come so far.
      best.drop(later)
  if options.select == 'best':
    _check_best(best)
  check()
  metrics, valid = _open_logs(
      stack, folder, step, checkpoints.record.get('logs', {}), write,
      options.tensorboard, print_line)
  _warn_of_space(template, options, folder, print_line)
  return state, Workdir(folder, checkpoints, best, metrics, valid, finite,
                        options.save_every, steps, print_line, check)


def _check_best(best: checkpoint.Checkpoints) -> None:
  """Refuses a damaged best state now, and not after the training."""
  for step in best.steps()[-1:]:
    try:
      best.read(step)
    except identity.Foreign:
      raise
    except errors.DamagedData as e:
      raise errors.DamagedData(
          f'{best.directory}: {e}; there is no older one; --restart to begin '
          'again, or go on without it by --config.train.select=last '
          '--allow_config_change') from e


def _open_logs(stack: contextlib.ExitStack, folder: storage.Path, step: int,
               logs: dict[str, Any], write: bool, tensorboard: bool,
               print_line: Callable[[str], None]) -> list[metrics_log.Metrics]:
  """metrics.jsonl and valid.jsonl, of a run that goes on from a step."""
  events = None
  if tensorboard and write:
    events = stack.enter_context(
        metrics_log.Events(folder / 'tensorboard', step))
  return [stack.enter_context(
      metrics_log.Metrics(folder / name, step, write, events,
                          logs.get(name), print_line))
          for name in ('metrics.jsonl', 'valid.jsonl')]


def _warn_of_space(state: Any, options: Any, folder: storage.Path,
                   print_line: Callable[[str], None]) -> None:
  """Prints a warning if the disk has no room for the checkpoints."""
  free, need = storage.free(folder), room(state, options)
  if free is not None and free < need:
    print_line(
        f'warning   {folder} has {free / 2**20:.0f} MiB left, and checkpoints '
        f'take up to {need / 2**20:.0f}')


def room(state: Any, options: Any) -> int:
  """The bytes that checkpoints take, with the one that is being written."""
  size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
  return size * (options.max_to_keep + 1 + (2 if options.valid_every else 0))


def find_config(workdir: storage.Path) -> dict[str, Any] | None:
  """The config of the run in a workdir, or None if there is no run.

  Raises:
    errors.DamagedData: config.json is damaged, of another run, or missing.
  """
  path = workdir / 'config.json'
  config = files.read_json(path, *SECTIONS)
  if config is None:
    held = [name for name in CONTENT[:3] if (there := workdir / name).is_file()
            or there.is_dir() and any(
                inner.name.isdecimal() for inner in there.iterdir())]
    if held:
      raise errors.DamagedData(
          f'{workdir} has {held[0]} and no config.json: put a copy back, write '
          'the options of the training command there by --allow_config_change, '
          'or begin again by --restart')
    return None
  own = find_identity(workdir)
  if own:
    own.check(path, {'config': digests.of_json(config)})
  return config


def read_config(workdir: storage.Path) -> ml_collections.ConfigDict:
  """The config of the run in a workdir."""
  config = find_config(workdir)
  if config is None:
    raise errors.UserError(
        f'{workdir} holds no run: it has no config.json; give the --workdir of '
        'a run')
  return ml_collections.ConfigDict(config)


def read_results(workdir: storage.Path) -> dict[str, Any] | None:
  """The content of results.json, or None; raises DamagedData."""
  path = workdir / 'results.json'
  found = files.read_json(path, 'step', 'metrics', 'pictures')
  own = find_identity(workdir) if found else None
  if own:
    own.check(path, {'run': found.get('run', own.run)})
  return found


def find_identity(workdir: storage.Path) -> identity.Identity | None:
  """The Identity of the run in a workdir; None for a new or an old run.

  Where run.json is missing, the checkpoints tell.
  """
  if (workdir / 'run.json').exists():
    return identity.read(workdir)
  with checkpoint.Checkpoints(workdir / 'checkpoints') as checkpoints:
    stamps = [r for r in map(checkpoints.record_of, checkpoints.steps())
              if 'run' in r]
  same = [s for s in stamps if s['run'] == stamps[-1]['run']]
  return identity.Identity(
      same[-1]['run'], *([s[name] for s in same] for name in ('config', 'data'))
      ) if same else None


def evaluated(workdir: storage.Path, config: Any) -> storage.Path:
  """The folder with the checkpoint by which the run of a config is judged."""
  best = config['train']['select'] == 'best' and (workdir / 'best').is_dir()
  return workdir / ('best' if best else 'checkpoints')


def set_aside(workdir: storage.Path) -> storage.Path | None:
  """Moves a run out of the way.  Returns where to, or None if there is none."""
  found = [name for name in CONTENT if (workdir / name).exists()]
  if not found:
    return None
  aside = next(path for i in itertools.count(1)
               if not (path := workdir / f'old-{i}').exists())
  aside.mkdir()
  for name in found:
    storage.move(workdir / name, aside / name)
  return aside
