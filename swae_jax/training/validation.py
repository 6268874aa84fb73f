"""Validates during a run: keeps the best state, and decides when to stop."""
from collections.abc import Callable
import math
from typing import Any

import jax
import numpy as np

from swae_jax.host import mesh as mesh_lib
from swae_jax.host import signals
from swae_jax.training import build
from swae_jax.training import step as step_lib


def mean_loss(run: build.Run, beat: Callable[[], None]) -> Callable:
  """state -> mean loss over the validation split, whole batches only.

  The function returns None if a signal came meanwhile, and calls `beat` at each
  batch.
  """
  everywhere, spread = mesh_lib.everywhere(run.mesh), mesh_lib.spread(run.mesh)
  images = run.dataset.valid.images
  size = min(run.config.train.batch_size, len(images))
  size -= size % run.mesh.size
  images = mesh_lib.put(images, everywhere)
  rows = [mesh_lib.put(np.arange(i, i + size, dtype=np.int32), spread)
          for i in range(0, len(images) - size + 1, size)]
  # Compiled before the loop: in the loop a signal would wait for the compiler.
  state = mesh_lib.shapes(build.template(run), everywhere)
  valid = step_lib.compiled(
      step_lib.make_valid(run.system, everywhere, spread), state, images,
      rows[0], np.int32(0))

  def mean(state: step_lib.State) -> float | None:
    losses = []
    for i, indices in enumerate(rows):
      if signals.requested() and jax.process_count() == 1:
        return None
      losses.append(valid(state, images, indices, np.int32(i)))
      jax.block_until_ready(losses)
      beat()
    return float(np.mean(mesh_lib.fetch(losses)))

  return mean


def make(run: build.Run, workdir: Any, console: Any,
         beat: Callable[[], None]) -> Callable[[int, step_lib.State], bool]:
  """step, state -> whether to stop early; validates at the steps that are due.

  Args:
    run: the parts of the run.
    workdir: a folder.Workdir, which takes the losses and the best state.
    console: a console.Console, which shows the losses.
    beat: a function that is called at each batch.
  """
  every = run.config.train.valid_every * run.steps_per_epoch
  if not every:
    return lambda step, state: False
  loss_of = mean_loss(run, beat)

  def validate(step: int, state: step_lib.State) -> bool:
    if step == 0 or step % every:
      return False
    if not any(row['step'] == step for row in workdir.valid.rows):
      loss = loss_of(state)
      if loss is None:
        return False  # The run validates here when it goes on.
      best = min(_losses(workdir), default=math.inf)
      better = math.isfinite(loss) and (
          loss < best or not workdir.best.holds_any())
      workdir.valid.add(step, {'loss': loss})
      console.valid(step, loss, better)
      if better:
        workdir.save_best(mesh_lib.fetch(state))
    losses = _losses(workdir)
    since = len(losses) - 1 - int(np.argmin(losses))
    return 0 < run.config.train.patience <= since

  return validate


def _losses(workdir: Any) -> list[float]:
  """All losses so far, infinite where one was not finite."""
  return [math.inf if row['loss'] is None else row['loss']
          for row in workdir.valid.rows]
