"""The loop: batch after batch, with saves, validations and signals."""
import collections
import functools
import signal as signal_lib
import time
from typing import Any

import jax
import numpy as np

from swae_jax import errors
from swae_jax.data import batches
from swae_jax.host import mesh as mesh_lib
from swae_jax.host import signals, watchdog
from swae_jax.training import build, validation
from swae_jax.training import step as step_lib

IN_FLIGHT = 8  # Steps that may be pending when a signal comes.


def loop(run: build.Run, state: step_lib.State, workdir: Any, console: Any,
         patience: float = 0.) -> step_lib.State:
  """Trains from `state` to the last step.

  Args:
    run: the parts of the run.
    state: the state on the host.
    workdir: a folder.Workdir, which takes metrics and checkpoints.
    console: a console.Console, which shows progress.
    patience: seconds without a step after which the process ends; 0: never.

  Returns:
    The last state, on the host.

  Raises:
    errors.Diverged: too many updates in a row were not finite.
    errors.SaveFailed: the last state could not be saved.
    errors.Stopped: a signal came; the state is saved.
  """
  config, images = run.config.train, run.dataset.train.images
  everywhere, spread = mesh_lib.everywhere(run.mesh), mesh_lib.spread(run.mesh)
  indices = functools.partial(
      batches.indices, run.config.seed, batch_size=config.batch_size,
      size=len(images))
  step = compiled(run, console)
  images = mesh_lib.put(images, everywhere)
  # Virtual devices on few cores dead-lock if several steps are pending.
  virtual = run.mesh.size > 1 and jax.default_backend() == 'cpu'
  in_flight, pending = 0 if virtual else IN_FLIGHT, collections.deque()
  dog = watchdog.Watchdog(patience, workdir.folder)
  validate = validation.make(run, workdir, console, dog.step_done)

  done, state = int(state.step), mesh_lib.put(state, everywhere)
  unread = None  # Metrics are read while the next step runs.
  with signals.saving(), dog, console:
    last = validate(done, state) or done == run.steps
    while not last:
      state, metrics = step(
          state, images, mesh_lib.put(indices(step=done), spread))
      done += 1
      pending.append(metrics)
      if len(pending) > in_flight:
        jax.block_until_ready(pending.popleft())
      dog.step_done()
      console.tick(done - len(pending))
      if unread:
        report(run, *unread, workdir, console)
      unread = (done, metrics) if done % config.log_every == 0 else None
      last = validate(done, state) or done == run.steps
      signal = mesh_lib.agreed(signals.requested(), done)
      if last or signal or done % config.save_every == 0:
        if last or unread:  # Metrics go to disk before the checkpoint.
          report(run, done, metrics, workdir, console)
          unread = None
        save = workdir.save_last if last or signal else workdir.save
        save(mesh_lib.fetch(state))
      if signal:
        raise errors.Stopped(
            f'{signal_lib.Signals(signal).name}: saved step {done} in '
            f'{signals.seconds():.1f} s; run the same command to go on', signal)
  return mesh_lib.fetch(state)


def report(run: build.Run, step: int, metrics: dict[str, jax.Array],
           workdir: Any, console: Any) -> None:
  """Records and shows the metrics of a step.

  Raises:
    errors.Diverged: too many updates in a row were skipped.
  """
  metrics = mesh_lib.fetch(metrics)
  skipped, in_a_row = metrics.pop('skipped')
  first_bad = metrics.pop('first_bad')
  values = {k: float(metrics[k]) for k in sorted(
      metrics, key=lambda k: (k != 'loss', k))}  # the loss first
  if skipped:
    values['skipped'] = int(skipped)
  workdir.metrics.add(step, values)
  console.step(step, values)
  if in_a_row > run.config.train.max_skipped:
    name = workdir.finite[first_bad]
    value = values['loss'] if first_bad == 0 else 'not finite'
    raise errors.Diverged(
        f'{name} is {value} at step {step}; {in_a_row} updates in a row, from '
        f'step {step - in_a_row + 1} on, were skipped; try a smaller '
        '--config.optimizers.model.learning_rate')


def compiled(run: build.Run, console: Any) -> Any:
  """The compiled step of a run; the console shows the cost of a step."""
  began = time.monotonic()
  images = run.dataset.train.images
  step = _compile(run.system, run.tx, run.mesh, run.dataset.binarize,
                  run.config.train.batch_size, images.shape, images.dtype)
  if jax.config.jax_disable_jit:
    console.line('JAX_DISABLE_JIT is set: no step is compiled; steps are slow')
    return step
  used, there = step.memory_analysis(), mesh_lib.memory(run.mesh)
  need = used.temp_size_in_bytes + used.argument_size_in_bytes
  if there and need > there:
    raise errors.UserError(
        f'a step of {run.config.train.batch_size} examples needs '
        f'{need / 2**30:.1f} GiB, and a {run.mesh.devices.flat[0].device_kind} '
        f'device has {there / 2**30:.1f}; try a smaller '
        '--config.train.batch_size, or more devices')
  console.compiled(time.monotonic() - began, step.cost_analysis(), used)
  return step


# Seeds of one config share a system, so the next seed compiles nothing.
@functools.lru_cache(maxsize=4)
def _compile(system, tx, mesh, binarize, batch_size, shape, dtype):
  everywhere, spread = mesh_lib.everywhere(mesh), mesh_lib.spread(mesh)
  state, images = mesh_lib.shapes(
      (step_lib.state_shapes(system, tx, shape[1:]),
       jax.ShapeDtypeStruct(shape, dtype)), everywhere)
  indices = jax.ShapeDtypeStruct((batch_size,), np.int32, sharding=spread)
  return step_lib.compiled(
      step_lib.make(system, tx, everywhere, spread, binarize=binarize),
      state, images, indices)
