"""From a config to the parts of a run, checked before anything is compiled."""
import functools
import inspect
from typing import Any, NamedTuple

import jax

from swae_jax import data, errors, evals, networks, priors, systems
from swae_jax.data import base as data_base
from swae_jax.data import batches
from swae_jax.host import mesh as mesh_lib
from swae_jax.systems import base
from swae_jax.training import optimizers
from swae_jax.training import step as step_lib


class Run(NamedTuple):
  """What a config asks for, made."""
  config: Any
  dataset: data_base.Dataset
  system: base.System
  mesh: jax.sharding.Mesh
  tx: Any  # Optimizer of the parameters of all players.
  epoch: int  # Steps in an epoch.
  steps: int  # Steps in the run.


def part(registry, options, where, *args):
  """registry[options.name] of args and, by keyword, of the other options."""
  options = dict(options)
  name = options.pop('name')
  if name not in registry:
    raise errors.UserError(f'{where}.name: there is no {name!r}; there are '
                           f'{", ".join(sorted(registry))}')
  unknown = options.keys() - inspect.signature(registry[name]).parameters
  # What another name of the registry has as a default nobody has asked for: it
  # is left from the name that the config had before --config.prior.name=disc.
  defaults = [(key, p.default) for make in registry.values()
              for key, p in inspect.signature(make).parameters.items()]
  asked = [k for k in sorted(unknown) if (k, options[k]) not in defaults]
  if asked:
    raise errors.UserError(f'{where}: {name} has no option {asked[0]!r}')
  known = {k: v for k, v in options.items() if k not in unknown}
  return functools.partial(registry[name], *args, **known)


def optimizer(options, where, epoch):
  """An optimizer whose learning rate follows a schedule."""
  options = dict(options)
  rate = part(optimizers.SCHEDULES, options.pop('schedule'),
              f'{where}.schedule', options.pop('learning_rate'), epoch)()
  return part(optimizers.OPTIMIZERS, options, where, rate)()


def system(config, known):
  """The system of a config; it needs no data, only what is `known` of them."""
  network = part(
      networks.NETWORKS, config.network, 'config.network', known.shape)()
  prior = part(priors.PRIORS, config.prior, 'config.prior')
  return part(systems.SYSTEMS, config.system, 'config.system',
              network, prior, known, config.latents)()


def build(config):
  """Makes and checks all that a run needs; compiles nothing."""
  mesh = mesh_lib.make(config.devices)
  mesh_lib.check_batch(mesh, config.train.batch_size)
  dataset = part(data.DATASETS, config.data, 'config.data')()
  shape, size = dataset.train.images.shape[1:], len(dataset.train.images)
  epoch = batches.per_epoch(config.train.batch_size, size)
  system = system(config, base.Spec(shape, dataset.bounded, epoch))
  if system.examples > size:
    raise errors.UserError(
        f'config.system: it starts from {system.examples} training images'
        f' (components or pretrain_examples), and {dataset.name} has {size}; '
        'use fewer')
  tx = step_lib.optimizer({
      player: optimizer(options, f'config.optimizers.{player}', epoch)
      for player, options in config.optimizers.items()})
  for name, evaluator in evals.EVALS.items():
    if config.evals[name].run and evaluator.check:
      evaluator.check(dataset, config.evals[name])
  steps = config.train.steps or config.train.epochs * epoch
  return Run(config, dataset, system, mesh, tx, epoch, steps)


def step(run):
  """The training step: state, images, indices -> state, metrics."""
  return step_lib.make(
      run.system, run.tx, mesh_lib.everywhere(run.mesh),
      mesh_lib.spread(run.mesh), binarize=run.dataset.binarize)


def init(run):
  """The state before the first step, on the host."""
  x = data_base.to_float(run.dataset.train.images[:run.system.examples])
  start = functools.partial(step_lib.init, run.system, run.tx)
  return jax.device_get(jax.jit(start)(run.config.seed, x))
