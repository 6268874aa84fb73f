"""Builds the parts of a run from a config and checks them; compiles nothing."""
from collections.abc import Callable, Mapping
import functools
from typing import Any, NamedTuple

import jax
import optax

from swae_jax import errors, evals
from swae_jax.data import base as data_base
from swae_jax.data import batches
from swae_jax.host import mesh as mesh_lib
from swae_jax.systems import base
from swae_jax.training import choice, optimizers, parts
from swae_jax.training import step as step_lib


class Run(NamedTuple):
  """The parts that a config asks for."""
  config: Any  # a ConfigDict of the chosen options
  dataset: data_base.Dataset
  system: base.System
  mesh: jax.sharding.Mesh
  tx: optax.GradientTransformation  # of the parameters of all players
  steps_per_epoch: int
  steps: int  # in the whole run


def optimizer(section: Mapping[str, Any],
              steps_per_epoch: int) -> optax.GradientTransformation:
  """An optimizer whose learning rate follows a schedule."""
  schedule, name = section['schedule'], section['name']
  rate = optimizers.SCHEDULES[schedule['name']](
      section['learning_rate'], steps_per_epoch, **schedule[schedule['name']])
  return optimizers.OPTIMIZERS[name](rate, **section[name])


def system(config: Mapping[str, Any], spec: base.Spec) -> base.System:
  """The system of a config; needs the Spec of the data, not the data."""
  used = parts.of_system(config['system']['name'])
  given = {'spec': spec, 'latents': config['latents']}
  if 'network' in used:
    given['network'] = parts.make('network', config, shape=spec.shape)
  if 'prior' in used:
    given['prior'] = parts.prior(config)
  if 'penalty' in used:
    given['penalty'] = parts.penalty(config)
  return parts.make('system', config, **given)


def build(config: Any) -> Run:
  """Makes and checks all that a run needs; compiles nothing."""
  config = choice.chosen(config)
  mesh = mesh_lib.make(config.devices)
  mesh_lib.check_batch(mesh, config.train.batch_size)
  if config.train.select == 'best' and not config.train.valid_every:
    raise errors.UserError(
        '--config.train.select=best needs validations; give '
        '--config.train.valid_every=1, or select=last')
  dataset = parts.make('data', config)
  dataset = dataset._replace(provenance={
      **dataset.provenance, 'fingerprint': data_base.fingerprint(dataset)})
  size = len(dataset.train.images)
  steps_per_epoch = batches.per_epoch(config.train.batch_size, size)
  spec = base.Spec(dataset.train.images.shape[1:], dataset.bounded,
                   dataset.binarize, steps_per_epoch)
  made = system(config, spec)
  _check_examples(config, made, dataset)
  for name, own in config.evals.items():
    check = evals.EVALS[name].check
    if check is not None:
      check(dataset, {k: v for k, v in own.items() if k != 'run'})
  tx = step_lib.optimizer({
      player: optimizer(config.optimizers[
          'model' if player == 'model' else 'critic'], steps_per_epoch)
      for player in step_lib.variable_shapes(made, spec.shape).params})
  steps = config.train.steps or config.train.epochs * steps_per_epoch
  return Run(config, dataset, made, mesh, tx, steps_per_epoch, steps)


def _check_examples(config: Any, made: base.System,
                    dataset: data_base.Dataset) -> None:
  """Refuses a system that starts from more training images than there are."""
  size, name = len(dataset.train.images), config.system.name
  if made.examples <= size:
    return
  option = next((o for o in ('components', 'pretrain_examples')
                 if o in config.system[name]), '')
  raise errors.UserError(
      f'--config.system.{name}.{option}={made.examples}: the system starts '
      f'each from a training image, and {dataset.name} has {size}; give {size} '
      'or fewer')


def step(run: Run) -> Callable:
  """The training step: state, images, indices -> state, metrics."""
  return step_lib.make(
      run.system, run.tx, mesh_lib.everywhere(run.mesh),
      mesh_lib.spread(run.mesh), binarize=run.dataset.binarize)


def init(run: Run) -> step_lib.State:
  """The state before the first step, on the host."""
  x = data_base.to_float(run.dataset.train.images[:run.system.examples])
  start = functools.partial(step_lib.init, run.system, run.tx)
  return jax.device_get(jax.jit(start)(step_lib.key(run.config.seed), x))


def template(run: Run) -> step_lib.State:
  """The state of a run as shapes alone; nothing is computed."""
  return step_lib.state_shapes(
      run.system, run.tx, run.dataset.train.images.shape[1:])
