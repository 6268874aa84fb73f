"""From a config to a trained system: the only file that reads the config."""
import functools
import inspect
import math
import pathlib
import platform
from typing import Any, NamedTuple

import flax
import jax
import numpy as np
import optax

from swae_jax import (
    checkpoint, data, errors, evals, networks, objectives, optimizers, priors,
    progress, record)
from swae_jax import mesh as mesh_lib
from swae_jax import step as step_lib
from swae_jax.data import base as data_base
from swae_jax.data import batches
from swae_jax.evals import base as evals_base

# Options that do not change what is computed: they may differ on a restart.
HARMLESS = ('name', 'devices', 'data.dir', 'train.log_every',
            'train.save_every', 'train.keep', 'evals')
LENGTH = ('train.steps', 'train.epochs')  # These may, to train for longer.


class Run(NamedTuple):
  """What a config asks for, made."""
  config: Any
  dataset: Any
  objective: Any
  mesh: Any
  tx: Any
  step: Any  # state, images, indices -> state, metrics
  steps: int


def make(registry, options, where, *args):
  """registry[options.name], with the other options as keyword arguments."""
  options = dict(options)
  name = options.pop('name')
  if name not in registry:
    raise errors.UserError(f'{where}.name: there is no {name!r}; there are '
                           f'{", ".join(sorted(registry))}')
  unknown = options.keys() - inspect.signature(registry[name]).parameters
  if unknown:
    raise errors.UserError(
        f'{where}: {name} has no option {min(unknown)!r}; choose by the config,'
        ' as in --config=configs/mnist.py:wae_mmd, not by the name alone')
  return functools.partial(registry[name], *args, **options)


def make_optimizer(options, where):
  """An optimizer with its schedule."""
  options = dict(options)
  rate = make(optimizers.SCHEDULES, options.pop('schedule'),
              f'{where}.schedule', options.pop('learning_rate'))()
  return make(optimizers.OPTIMIZERS, options, where, rate)()


def build(config):
  """Makes and checks all that a run needs; compiles nothing."""
  mesh = mesh_lib.make(config.devices)
  mesh_lib.check_batch(mesh, config.train.batch_size)
  dataset = make(data.DATASETS, config.data, 'config.data')()
  shape, size = dataset.train.images.shape[1:], len(dataset.train.images)
  batches.indices(config.seed, 0, config.train.batch_size, size)
  network = make(networks.NETWORKS, config.network, 'config.network',
                 shape)()
  prior = make(priors.PRIORS, config.prior, 'config.prior')
  objective = make(objectives.OBJECTIVES, config.objective, 'config.objective',
                   network, prior, shape, config.latents, dataset.bounded)()
  if objective.examples > size:
    raise errors.UserError(
        f'config.objective.components: {objective.examples} pseudo-inputs '
        f'start from as many training images, and {dataset.name} has {size}; '
        'use fewer')
  tx = step_lib.optimizer({
      player: make_optimizer(section, f'config.optimizers.{player}')
      for player, section in config.optimizers.items()})
  step = step_lib.make(
      objective, tx, mesh_lib.everywhere(mesh), mesh_lib.spread(mesh),
      binarize=dataset.binarize)
  steps = (config.train.steps
           or config.train.epochs * (size // config.train.batch_size))
  return Run(config, dataset, objective, mesh, tx, step, steps)


def init(run):
  """The state before the first step, on the host."""
  count = run.objective.examples
  x = data_base.to_float(run.dataset.train.images[:count])
  return jax.device_get(jax.jit(functools.partial(
      step_lib.init, run.objective, run.tx))(run.config.seed, x))


def check_same(config, workdir):
  """Refuses to go on in a workdir with a config that computes another run."""
  old = record.read_json(workdir / 'config.json')
  changes = record.changes(old or {}, config.to_dict()) if old else {}
  free = HARMLESS + LENGTH
  differ = {k: v for k, v in changes.items()
            if not any(f'{k}.'.startswith(f'{name}.') for name in free)}
  if differ:
    shown = '; '.join(f'{k} is {old!r} there and {new!r} now'
                      for k, (old, new) in list(differ.items())[:3])
    raise errors.UserError(
        f'{workdir} holds another run: {shown}; use another --workdir, or the '
        'same options')


def loop(run, state, metrics_file, checkpoints, say):
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
    metrics_file.add(step, values)
    say.step(step, values)

  start, images = int(state.step), mesh_lib.put(images, everywhere)
  state, waiting = mesh_lib.put(state, everywhere), None
  for done in range(start + 1, run.steps + 1):
    indices = mesh_lib.put(draw(step=done - 1), spread)
    state, metrics = run.step(state, images, indices)
    if in_turn:
      jax.block_until_ready(state)
    if waiting:  # Metrics are read while the next step runs.
      report(*waiting)
    last = done == run.steps
    waiting = (done, metrics) if last or done % config.log_every == 0 else None
    if last or done % config.save_every == 0:
      if waiting:  # A line is on disk before the checkpoint that follows it.
        report(*waiting)
        waiting = None
      checkpoints.save(mesh_lib.fetch(state))
  return mesh_lib.fetch(state)


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
  results = {'step': int(state.step), 'state_sha256': checkpoint.summary(state),
             'metrics': [], 'pictures': []}
  for name, section in run.config.evals.items():
    options = section.to_dict()
    if not options.pop('run'):
      continue
    for found in evals.EVALS[name](view, **options):
      if isinstance(found, evals_base.Metric):
        results['metrics'].append(found._asdict())
      else:
        path = workdir / 'images' / f'{found.name}.png'
        results['pictures'].append(str(record.save_image(path, found.image)))
  return results


def run(config, workdir=''):
  """Trains or goes on training, then evaluates; the same command does both."""
  workdir = pathlib.Path(workdir or f'runs/{config.name}')
  first = jax.process_index() == 0
  say = progress.Progress(quiet=not first)
  check_same(config, workdir)
  this = build(config)
  results = record.read_json(workdir / 'results.json')
  if results and results['step'] == this.steps:
    say.finished(results, workdir)
    return results
  state = init(this)
  with checkpoint.Checkpoints(workdir / 'checkpoints',
                              config.train.keep) as checkpoints:
    state = checkpoints.restore(state) or state
    if first:
      record.write_json(workdir / 'config.json', config.to_dict())
      record.write_json(workdir / 'run.json', provenance(this, state))
    say.start(this, state, workdir)
    with record.Metrics(workdir / 'metrics.jsonl' if first else None,
                        int(state.step)) as metrics_file:
      state = loop(this, state, metrics_file, checkpoints, say)
  if first:
    results = evaluate(this, state, workdir)
    record.write_json(workdir / 'results.json', results)
    say.results(results)
  mesh_lib.wait('evaluated')
  return results
