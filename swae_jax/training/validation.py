"""Validation in the course of a run: the best state, and when to stop."""
import math

import jax
import numpy as np

from swae_jax.host import mesh as mesh_lib
from swae_jax.host import signals
from swae_jax.training import step as step_lib


def validator(run, state, beat):
  """state -> mean loss over the validation split, whole batches only.

  It is None if a signal has come meanwhile; `beat` is called at each batch.
  """
  everywhere = mesh_lib.everywhere(run.mesh)
  spread = mesh_lib.spread(run.mesh)
  images = run.dataset.valid.images
  size = min(run.config.train.batch_size, len(images))
  size -= size % run.mesh.size
  images = mesh_lib.put(images, everywhere)
  rows = [mesh_lib.put(np.arange(i, i + size, dtype=np.int32), spread)
          for i in range(0, len(images) - size + 1, size)]
  # Compiled here, where a signal need not wait for it.
  valid = step_lib.make_valid(run.system, everywhere, spread).lower(
      state, images, rows[0], np.int32(0)).compile()

  def mean(state):
    losses = []
    for i, indices in enumerate(rows):
      if signals.asked() and jax.process_count() == 1:
        return None
      losses.append(valid(state, images, indices, np.int32(i)))
      jax.block_until_ready(losses)
      beat()
    return float(np.mean(mesh_lib.fetch(losses)))

  return mean


def due(run, step):
  """Whether a run validates after this step."""
  every = run.config.train.valid_every * run.epoch
  return every > 0 and step > 0 and step % every == 0


def validate(run, loss_of, state, kept, say):
  """Validates, if that is not done yet; True: stop early."""
  step = int(mesh_lib.fetch(state.step))
  if not any(row['step'] == step for row in kept.valid.rows):
    loss = loss_of(state)
    if loss is None:
      return False  # A signal came: it is done when the run goes on.
    better = math.isfinite(loss) and loss < min(_losses(kept), default=math.inf)
    kept.valid.add(step, {'loss': loss})
    say.valid(step, loss, better)
    if better:
      kept.save_best(mesh_lib.fetch(state))
  losses = _losses(kept)
  since = len(losses) - 1 - int(np.argmin(losses))
  return 0 < run.config.train.patience <= since


def _losses(kept):
  """All so far; infinite where one was not finite."""
  return [math.inf if row['loss'] is None else row['loss']
          for row in kept.valid.rows]
