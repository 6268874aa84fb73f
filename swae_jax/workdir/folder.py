"""What a run leaves in its workdir while it trains: opened, saved, set aside.

A checkpoint relies on what was written before it: the lines of metrics up to
its step, and the state that the lines of validation call the best.  It is
started when they are there, so a run that goes on from it misses nothing.
"""
from collections.abc import Callable
import contextlib
import itertools
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np

from swae_jax import errors
from swae_jax.workdir import checkpoint, digests, files, metrics_log, storage


class Workdir(NamedTuple):
  """Where a run leaves what it will need again."""
  checkpoints: checkpoint.Checkpoints
  best: checkpoint.Checkpoints  # The state of the lowest validation loss.
  metrics: metrics_log.Metrics
  valid: metrics_log.Metrics
  folder: Any
  finite: list  # Names of what must be finite, the loss first.
  next_save: Callable  # step -> the step of the next save
  print_line: Callable  # of a line of text

  def save(self, state):
    """Starts to save a state; what has failed is said, and the run goes on."""
    step = int(state.step)
    self._try(self.checkpoints.wait, step)
    self._try(lambda: self._start(state), self.next_save(step))

  def _try(self, start, again):
    try:
      start()
    except errors.SaveFailed as e:
      self.print_line(f'{e}, {self._last_good()}, trying again at {again}')

  def save_best(self, state):
    """Starts to save the state of the lowest validation loss so far."""
    with contextlib.suppress(errors.SaveFailed):  # It was not the best.
      self.best.wait()
    self.best.save(state)

  def save_last(self, state):
    """Saves a state; it is there when this returns.  Raises SaveFailed."""
    with contextlib.suppress(errors.SaveFailed):  # This one is newer.
      self.checkpoints.wait()
    try:
      self._start(state)
      self.checkpoints.wait()
    except errors.SaveFailed as e:
      raise errors.SaveFailed(f'{e}, {self._last_good()}; make room and run '
                              'the same command to go on') from e

  def _start(self, state):
    # The step tests gradients; an optimizer can overflow behind them.
    for name, x in digests.named(state).items():
      if x.dtype.kind == 'f' and not np.isfinite(x).all():
        raise errors.Diverged(
            f'{name} is not finite at step {int(state.step)}, which is not '
            f'saved; {self._last_good()}; try a smaller '
            'config.optimizers.model.learning_rate')
    try:
      self.metrics.flush()
      self.valid.flush()
    except OSError as e:
      raise checkpoint.failure(e, int(state.step)) from e
    self.best.again()
    self.checkpoints.save(state)

  def _last_good(self):
    last = self.checkpoints.last
    return 'none is there yet' if last is None else f'last good {last}'


def open_workdir(stack, workdir, state, options, steps, finite, print_line):
  """Opens what a run leaves, and finds the state that it goes on from.

  Args:
    stack: an ExitStack that closes what is opened.
    workdir: its path.
    state: the state of a new run, on the host.
    options: config.train.
    steps: the number of the last step.
    finite: names of what must be finite in a step, the loss first.
    print_line: a function of a line.

  Returns:
    The state and the Workdir.
  """
  write = jax.process_index() == 0
  if write:
    for path in workdir.glob('*.partial'):  # A kill has left it.
      path.unlink()
  checkpoints, best = (
      stack.enter_context(checkpoint.Checkpoints(workdir / name, count))
      for name, count in (('checkpoints', options.max_to_keep), ('best', 1)))
  if write:
    for place in (checkpoints, best):
      place.tidy()
  state = checkpoints.restore(state, print_line) or state
  if options.select == 'best':
    _check(best)
  step = int(state.step)
  events = None
  if options.tensorboard and write:
    events = stack.enter_context(
        metrics_log.events(workdir / 'tensorboard', step))
  metrics, valid = (
      stack.enter_context(
          metrics_log.Metrics(workdir / name, step, write, events))
      for name in ('metrics.jsonl', 'valid.jsonl'))
  warn_of_space(state, options, workdir, print_line)
  every = options.save_every
  next_save = lambda step: min((step // every + 1) * every, steps)
  return state, Workdir(checkpoints, best, metrics, valid, workdir, finite,
                        next_save, print_line)


def _check(best):
  """Refuses a damaged best state now, and not when the training has ended."""
  for step in best.steps():
    try:
      best.read(step)
    except errors.DamagedData as e:
      raise errors.DamagedData(
          f'{best.directory}: {e}; there is no older one; --restart to begin '
          'again, or go on without it by --config.train.select=last '
          '--allow_config_change') from e


def warn_of_space(state, options, workdir, print_line):
  """Says so where the disk has no room for the checkpoints."""
  free, need = storage.free(workdir), room(state, options)
  if free is not None and free < need:
    print_line(
        f'warning   {workdir} has {free / 2**20:.0f} MiB left, and checkpoints '
        f'take up to {need / 2**20:.0f}')


def room(state, options):
  """Bytes that checkpoints take, with the one that is being written."""
  size = sum(x.nbytes for x in jax.tree.leaves(state))
  return size * (options.max_to_keep + 1 + (2 if options.valid_every else 0))


def read_config(workdir):
  """The config of the run in a workdir."""
  config = files.read_json(storage.path(workdir) / 'config.json')
  if config is None:
    raise errors.UserError(
        f'{workdir} holds no run: it has no config.json; give the --workdir of '
        'a run')
  return ml_collections.ConfigDict(config)


def set_aside(workdir):
  """Moves a run out of the way.  Returns where to, or None if there is none."""
  workdir = storage.path(workdir)
  # What makes a run go on is moved first, should this be interrupted.
  names = ('results.json', 'checkpoints', 'best', 'config.json', 'run.json',
           'metrics.jsonl', 'valid.jsonl', 'config_changes.jsonl', 'images',
           'tensorboard')
  found = [name for name in names if (workdir / name).exists()]
  if not found:
    return None
  aside = next(path for i in itertools.count(1)
               if not (path := workdir / f'old-{i}').exists())
  aside.mkdir()
  for name in found:
    storage.move(workdir / name, aside / name)
  return aside
