"""The loop: trains, or goes on training, and evaluates."""
import collections
import contextlib
import functools
import signal as signal_lib
import time

import jax
import numpy as np

from swae_jax import errors
from swae_jax.data import batches
from swae_jax.host import console, faults, signals, watchdog
from swae_jax.host import mesh as mesh_lib
from swae_jax.training import build, evaluation, resume, validation
from swae_jax.workdir import digests, files, folder, lock, storage

AHEAD = 8  # Steps that may be under way when a signal comes.


def loop(run, state, kept, say, patience=0.):
  """Trains from `state` on.  Returns the last state, on the host.

  It ends the process after `patience` seconds without a step, if not 0.
  """
  config, images = run.config.train, run.dataset.train.images
  everywhere = mesh_lib.everywhere(run.mesh)
  spread = mesh_lib.spread(run.mesh)
  draw = functools.partial(batches.indices, run.config.seed,
                           batch_size=config.batch_size, size=len(images))
  # Several virtual devices on few cores dead-lock when steps pile up.
  virtual = run.mesh.size > 1 and jax.default_backend() == 'cpu'
  ahead, under_way = 0 if virtual else AHEAD, collections.deque()
  dog = watchdog.Watchdog(patience, kept.folder)

  def validates(step, state):
    return validation.due(run, step) and validation.validate(
        run, valid, state, kept, say)

  done, images = int(state.step), mesh_lib.put(images, everywhere)
  state, waiting = mesh_lib.put(state, everywhere), None
  step = compiled(run, state, images, say)
  if config.valid_every:
    valid = validation.validator(run, state, dog.beat)
  with signals.saving(), dog:
    last = validates(done, state) or done == run.steps
    while not last:
      faults.point('step')
      indices = mesh_lib.put(draw(step=done), spread)
      state, metrics = step(state, images, indices)
      done += 1
      under_way.append(metrics)
      if len(under_way) > ahead:
        jax.block_until_ready(under_way.popleft())
      dog.beat()
      if waiting:  # Metrics are read while the next step runs.
        report(run, *waiting, kept, say)
      waiting = (done, metrics) if done % config.log_every == 0 else None
      last = validates(done, state) or done == run.steps
      signal = mesh_lib.agreed(signals.asked(), done)
      if last or signal or done % config.save_every == 0:
        if last or waiting:  # A line is on disk before the next checkpoint.
          report(run, done, metrics, kept, say)
          waiting = None
        save = kept.save_last if last or signal else kept.save
        save(mesh_lib.fetch(state))
      if signal:
        raise stopped(signal, done)
  return mesh_lib.fetch(state)


def report(run, step, metrics, kept, say):
  """Records the metrics of a step; raises Diverged where the run has."""
  metrics = mesh_lib.fetch(metrics)
  (total, row), bad = metrics.pop('skipped'), metrics.pop('bad')
  values = {k: float(v) for k, v in metrics.items()}
  if total:
    values['skipped'] = int(total)
  kept.metrics.add(step, values)
  say.step(step, values)
  if row > run.config.train.max_skipped:
    name = kept.watched[bad]
    raise errors.Diverged(
        f'{name} is {values["loss"] if bad == 0 else "not finite"} at step '
        f'{step}; {row} updates in a row, from step {step - row + 1} on, were '
        'skipped; try a smaller config.optimizers.model.learning_rate')


def stopped(signal, step):
  """What to raise when a signal has ended the run after a step."""
  return errors.Stopped(
      f'{signal_lib.Signals(signal).name}: saved step {step} in '
      f'{signals.seconds():.1f} s; run the same command to go on', signal)


# One entry for each system in use: another seed of a run compiles nothing.
@functools.lru_cache(maxsize=4)
def _steps(system, tx, mesh, binarize):
  """Compiled steps of a system by the shapes of their arguments."""
  del system, tx, mesh, binarize  # What the steps depend on.
  return {}


def compiled(run, state, images, say):
  """The step, compiled for these arrays, and what it costs said."""
  began = time.monotonic()
  indices = mesh_lib.put(np.zeros(run.config.train.batch_size, np.int32),
                         mesh_lib.spread(run.mesh))
  steps = _steps(run.system, run.tx, run.mesh, run.dataset.binarize)
  shapes = indices.shape, images.shape
  if shapes not in steps:
    steps[shapes] = build.step(run).lower(state, images, indices).compile()
  step = steps[shapes]
  used, there = step.memory_analysis(), mesh_lib.memory(run.mesh)
  need = used.temp_size_in_bytes + used.argument_size_in_bytes
  if there and need > there:
    raise errors.UserError(
        f'a step of {run.config.train.batch_size} examples needs '
        f'{need / 2**30:.1f} GiB, and a {run.mesh.devices.flat[0].device_kind} '
        f'device has {there / 2**30:.1f}; try a smaller '
        '--config.train.batch_size, or more devices')
  say.compiled(time.monotonic() - began, step.cost_analysis(), used)
  return step


def run(config, workdir='', like=None, *, allow_config_change=False,
        restart=False, patience=0.):
  """Trains or goes on training, then evaluates; the same command does both.

  Args:
    config: the options.
    workdir: where the run is kept; runs/<config.name> if not given.
    like: the build.Run of a config that differs in its seed at most: its data
      and its compiled functions are used again.
    allow_config_change: also goes on where options have changed that make the
      run another one.
    restart: begins again; what is there is moved aside.
    patience: seconds without a step after which the process ends; 0: never.
  """
  workdir = storage.path(workdir or f'runs/{config.name}')
  first = jax.process_index() == 0
  say = console.Progress(quiet=not first)
  changes = {} if restart else resume.check(
      config, workdir, allow_config_change)
  this = like._replace(config=config) if like else build.build(config)
  results = files.read_json(workdir / 'results.json')
  if not restart and results and (
      results['step'] == this.steps or results['stopped_early']):
    say.finished(results, workdir)
    return results
  with contextlib.ExitStack() as stack:
    if first:
      stack.enter_context(lock.hold(workdir))
      aside = folder.set_aside(workdir) if restart else None
      if aside:
        say.line(f'aside     what was there is in {aside} now')
    mesh_lib.wait('locked')
    state, kept = folder.keep(stack, this, workdir, say.line)
    if state.step > this.steps:
      raise errors.UserError(
          f'{workdir} is at step {int(state.step)}, behind the {this.steps} '
          'asked for; use another --workdir, or train for longer')
    say.start(this, state, workdir)
    if changes:
      say.line(f'changed   {resume.show(changes)}')
    if first:
      resume.note(workdir, int(state.step), changes)
      files.write_json(workdir / 'config.json', config.to_dict())
      files.write_json(workdir / 'run.json', evaluation.provenance(this, state))
    state = loop(this, state, kept, say, patience)
    results = {'step': int(state.step),
               'stopped_early': int(state.step) < this.steps,
               'state_sha256': digests.summary(state)}
    if config.train.select == 'best':
      state = kept.best.restore(state) or state  # None: it ended before one.
    if first:
      results |= evaluation.evaluate(this, state, workdir)
      faults.point('results')
      files.write_json(workdir / 'results.json', results)
      say.results(results)
    mesh_lib.wait('evaluated')
  return results
