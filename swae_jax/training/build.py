"""Builds the parts of a run from a config and checks them; compiles nothing."""
from collections.abc import Callable, Mapping
import functools
import math
from typing import Any, NamedTuple

import jax
import ml_collections
import optax

from swae_jax import errors, evals, options
from swae_jax.data import base as data_base
from swae_jax.data import batches
from swae_jax.host import mesh as mesh_lib
from swae_jax.systems import base
from swae_jax.training import choice, optimizers, parts
from swae_jax.training import config as config_lib
from swae_jax.training import step as step_lib

# The options that count the training images from which a system starts.
STARTS = ('components', 'pretrain_examples')


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
  if not config.fit:
    mesh_lib.check_batch(mesh, config.train.batch_size)
  if config.train.select == 'best' and not config.train.valid_every:
    raise errors.UserError(
        '--config.train.select=best needs validations; give '
        '--config.train.valid_every=1, or select=last')
  dataset = parts.make('data', config)
  dataset = dataset._replace(provenance={
      **dataset.provenance, 'fingerprint': data_base.fingerprint(dataset)})
  size = len(dataset.train.images)
  config, lowered = fitted(config, size)
  mesh_lib.check_batch(mesh, config.train.batch_size)
  if lowered:
    read = [*dataset.provenance.get('read', ()), *lowered]
    dataset = dataset._replace(provenance={**dataset.provenance, 'read': read})
  steps_per_epoch = batches.per_epoch(config.train.batch_size, size)
  spec = base.Spec(dataset.train.images.shape[1:], dataset.bounded,
                   dataset.binarize, steps_per_epoch)
  made = system(config, spec)
  _check_counts(config, made, dataset, mesh)
  _check_penalty(config)
  for name, own in config.evals.items():
    check = evals.EVALS[name].check
    if check is not None:
      check(dataset, {k: v for k, v in own.items() if k != 'run'})
  _check_memory(config, made, spec, mesh)
  tx = step_lib.optimizer({
      player: optimizer(config.optimizers[
          'model' if player == 'model' else 'critic'], steps_per_epoch)
      for player in step_lib.variable_shapes(made, spec.shape).params})
  steps = config.train.steps or config.train.epochs * steps_per_epoch
  if steps > options.LARGEST_INT:
    raise errors.UserError(
        f'--config.train.epochs={config.train.epochs}: these are {steps} steps,'
        f' and a run has at most {options.LARGEST_INT}')
  return Run(config, dataset, made, mesh, tx, steps_per_epoch, steps)


def again(run: Run, config: Any) -> Run:
  """The parts of a run for a config that differs at most in its seed."""
  return run._replace(
      config=fitted(config, len(run.dataset.train.images))[0])


def fitted(config: Any, size: float) -> tuple[Any, list[str]]:
  """The config whose counts fit `size` training images, and lines on changes.

  Only a config with the option `fit` changes.
  """
  if not config.fit:
    return config, []
  lines, out = [], ml_collections.ConfigDict(config.to_dict())
  for path in ('train.batch_size',
               *(f'system.{config.system.name}.{option}' for option in STARTS)):
    section, _, option = path.rpartition('.')
    own = config_lib.at(out, section)
    if own.get(option, 0) > size:
      # Any number of devices up to 8 can share the batch.
      own[option] = (size - size % 8 or size) if section == 'train' else size
      lines.append(f'config.{path} is {own[option]}, since there are {size} '
                   'training images')
  return out, lines


def _check_penalty(config: Any) -> None:
  """Refuses a batch that is too small for the penalty, and similar mistakes."""
  if 'penalty' not in config:
    return
  penalty = parts.penalty(config)
  z = jax.ShapeDtypeStruct(
      (config.train.batch_size, config.latents), jax.numpy.float32)
  def terms(z, z_prior):
    key = jax.random.key(0)
    return penalty.terms(penalty.init(key), z, z_prior, key)
  try:
    jax.eval_shape(terms, z, z)
  except ValueError as e:
    raise errors.UserError(
        f'--config.penalty.name={config.penalty.name} cannot have '
        f'--config.train.batch_size={config.train.batch_size} and '
        f'--config.latents={config.latents}: {e}') from e


def _check_memory(config: Any, made: base.System, spec: base.Spec,
                  mesh: jax.sharding.Mesh) -> None:
  """Refuses parameters that no device can hold, before they are drawn."""
  there = mesh_lib.memory(mesh)
  try:
    leaves = jax.tree.leaves(step_lib.variable_shapes(made, spec.shape))
    need = sum(math.prod(x.shape) * x.dtype.itemsize for x in leaves)
  except (NotImplementedError, OverflowError):  # More numbers than 2^64.
    need = math.inf
  if there and need > there:
    network = config.network.name if 'network' in config else ''
    raise errors.UserError(
        f'the parameters need {need / 2**30:,.1f} GiB, and a device has '
        f'{there / 2**30:,.1f}; give a smaller --config.latents, or smaller '
        f'options of --config.network.{network} or --config.system.'
        f'{config.system.name}')


def _check_counts(config: Any, made: base.System, dataset: data_base.Dataset,
                  mesh: jax.sharding.Mesh) -> None:
  """Refuses options that need more images than there are."""
  size, name = len(dataset.train.images), config.system.name
  valid = len(dataset.valid.images)
  if config.train.valid_every and valid < mesh.size:
    raise errors.UserError(
        f'--config.train.valid_every={config.train.valid_every}: '
        f'{dataset.name} has {valid} images for validation, fewer than the '
        f'{mesh.size} devices; give --config.devices={valid}, or '
        'valid_every=0')
  if made.examples <= size:
    return
  option = next((o for o in STARTS
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
