"""The loop: trains, or goes on training, and evaluates."""
import contextlib
import functools
import math
import pathlib
import platform
import time
from typing import NamedTuple

import flax
import jax
import numpy as np
import optax

from swae_jax import build, checkpoint, errors, evals, progress, record
from swae_jax import mesh as mesh_lib
from swae_jax import step as step_lib
from swae_jax.data import batches
from swae_jax.evals import base as evals_base

# Options that do not change what is computed: they may differ on a restart.
HARMLESS = ('name', 'devices', 'data.dir', 'data.cache_dir',
            'train.log_every', 'train.save_every', 'train.keep', 'evals')
LENGTH = ('train.steps', 'train.epochs')  # These may, to train for longer.


class Kept(NamedTuple):
  """Where a run leaves what it will need again."""
  checkpoints: checkpoint.Checkpoints
  best: checkpoint.Checkpoints  # The state of the lowest validation loss.
  metrics: record.Metrics
  valid: record.Metrics


def check_same(config, workdir):
  """Refuses to go on in a workdir with a config that computes another run."""
  old = record.read_json(workdir / 'config.json')
  changes = record.changes(old, config.to_dict()) if old else {}
  free = HARMLESS + LENGTH
  differ = {k: v for k, v in changes.items()
            if not any(f'{k}.'.startswith(f'{name}.') for name in free)}
  if differ:
    shown = '; '.join(f'{k} is {old!r} there and {new!r} now'
                      for k, (old, new) in list(differ.items())[:3])
    raise errors.UserError(
        f'{workdir} holds another run: {shown}; use another --workdir, or the '
        'same options')


def validator(run, everywhere, spread):
  """state -> mean loss over the validation split, whole batches only."""
  images = run.dataset.valid.images
  size = min(run.config.train.batch_size, len(images))
  size -= size % run.mesh.size
  images = mesh_lib.put(images, everywhere)
  rows = [mesh_lib.put(np.arange(i, i + size, dtype=np.int32), spread)
          for i in range(0, len(images) - size + 1, size)]
  valid = step_lib.make_valid(run.objective, everywhere, spread)

  def mean(state):
    losses = []
    for i, indices in enumerate(rows):
      losses.append(valid(state, images, indices, np.int32(i)))
      jax.block_until_ready(losses)
    return float(np.mean(mesh_lib.fetch(losses)))

  return mean


def loop(run, state, kept, say):
  """Trains from `state` on.  Returns the last state, on the host."""
  config, images = run.config.train, run.dataset.train.images
  everywhere = mesh_lib.everywhere(run.mesh)
  spread = mesh_lib.spread(run.mesh)
  draw = functools.partial(batches.indices, run.config.seed,
                           batch_size=config.batch_size, size=len(images))
  # Several virtual devices on few cores dead-lock when steps pile up.
  in_turn = run.mesh.size > 1 and jax.default_backend() == 'cpu'

  def report(step, metrics):
    values = {k: float(v) for k, v in mesh_lib.fetch(metrics).items()}
    if not math.isfinite(values['loss']):
      raise errors.Diverged(
          f'the loss is {values["loss"]} at step {step}; try a smaller '
          'config.optimizers.model.learning_rate')
    kept.metrics.add(step, values)
    say.step(step, values)

  start, images = int(state.step), mesh_lib.put(images, everywhere)
  state, waiting = mesh_lib.put(state, everywhere), None
  step = compiled(run, state, images, say)
  valid = config.valid_every and validator(run, everywhere, spread)
  for done in range(start + 1, run.steps + 1):
    indices = mesh_lib.put(draw(step=done - 1), spread)
    state, metrics = step(state, images, indices)
    if in_turn:
      jax.block_until_ready(state)
    if waiting:  # Metrics are read while the next step runs.
      report(*waiting)
    waiting = (done, metrics) if done % config.log_every == 0 else None
    last = done == run.steps
    if valid and done % (config.valid_every * run.epoch) == 0:
      last |= validate(run, valid(state), state, kept, say)
    if last or done % config.save_every == 0:
      if last or waiting:  # A line is on disk before the next checkpoint.
        report(done, metrics)
        waiting = None
      kept.checkpoints.save(mesh_lib.fetch(state))
    if last:
      break
  return mesh_lib.fetch(state)


def compiled(run, state, images, say):
  """The step, compiled for these arrays, and what it costs said."""
  began = time.monotonic()
  indices = mesh_lib.put(np.zeros(run.config.train.batch_size, np.int32),
                         mesh_lib.spread(run.mesh))
  step = build.step(run).lower(state, images, indices).compile()
  say.compiled(time.monotonic() - began, step.cost_analysis(),
               step.memory_analysis())
  return step


def validate(run, loss, state, kept, say):
  """Records a validation loss, keeps the best state; True: stop early."""
  before = [row['loss'] for row in kept.valid.rows]
  step = int(mesh_lib.fetch(state.step))
  kept.valid.add(step, {'loss': loss})
  better = not before or loss < min(before)
  say.valid(step, loss, better)
  if better:
    kept.best.save(mesh_lib.fetch(state))
  since = 0 if better else len(before) - int(np.argmin(before))
  return 0 < run.config.train.patience <= since


def provenance(run, state):
  """What a result depends on besides the config."""
  return {
      'versions': {m.__name__: m.__version__ for m in (jax, flax, optax, np)},
      'python': platform.python_version(),
      'devices': [str(d.device_kind) for d in run.mesh.devices.flat],
      'processes': jax.process_count(),
      'data': {'name': run.dataset.name, **run.dataset.provenance},
      'parameters': {player: sum(x.size for x in jax.tree.leaves(tree))
                     for player, tree in state.variables.params.items()},
  }


def evaluate(run, state, workdir):
  """Every evaluator of the config, in order."""
  key = jax.random.fold_in(jax.random.key(run.config.seed), 2)
  view = evals_base.view(run.objective, state.variables, run.dataset, key)
  metrics, pictures = [], []
  for name, options in run.config.evals.items():
    options = dict(options)
    if not options.pop('run'):
      continue
    for found in evals.EVALS[name](view, **options):
      if isinstance(found, evals_base.Metric):
        metrics.append(found._asdict())
      else:
        path = workdir / 'images' / f'{found.name}.png'
        pictures.append(str(record.save_image(path, found.image)))
  return {'metrics': metrics, 'pictures': pictures}


def keep(stack, run, workdir):
  """Opens what a run leaves, and finds the state that it goes on from."""
  state = build.init(run)
  checkpoints, best = (
      stack.enter_context(checkpoint.Checkpoints(workdir / name, count))
      for name, count in (('checkpoints', run.config.train.keep), ('best', 1)))
  state = checkpoints.restore(state) or state
  metrics, valid = (
      stack.enter_context(record.Metrics(
          workdir / name, int(state.step), write=jax.process_index() == 0))
      for name in ('metrics.jsonl', 'valid.jsonl'))
  return state, Kept(checkpoints, best, metrics, valid)


def run(config, workdir=''):
  """Trains or goes on training, then evaluates; the same command does both."""
  workdir = pathlib.Path(workdir or f'runs/{config.name}')
  first = jax.process_index() == 0
  say = progress.Progress(quiet=not first)
  check_same(config, workdir)
  this = build.build(config)
  results = record.read_json(workdir / 'results.json')
  if results and (results['step'] == this.steps or results['stopped_early']):
    say.finished(results, workdir)
    return results
  with contextlib.ExitStack() as stack:
    state, kept = keep(stack, this, workdir)
    if state.step > this.steps:
      raise errors.UserError(
          f'{workdir} is at step {int(state.step)}, behind the {this.steps} '
          'asked for; use another --workdir, or train for longer')
    if first:
      record.write_json(workdir / 'config.json', config.to_dict())
      record.write_json(workdir / 'run.json', provenance(this, state))
    say.start(this, state, workdir)
    state = loop(this, state, kept, say)
  results = {'step': int(state.step),
             'stopped_early': int(state.step) < this.steps,
             'state_sha256': checkpoint.summary(state)}
  if config.train.select == 'best':
    with checkpoint.Checkpoints(workdir / 'best') as best:
      state = best.restore(state) or state  # None: it ended before one.
  if first:
    results |= {'evaluated_step': int(state.step),
                **evaluate(this, state, workdir)}
    record.write_json(workdir / 'results.json', results)
    say.results(results)
  mesh_lib.wait('evaluated')
  return results
