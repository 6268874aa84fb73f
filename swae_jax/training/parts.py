"""The parts of a run: the registry of each, and how to make one."""
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from swae_jax import data, errors, networks, options, priors, systems
from swae_jax.systems import penalties
from swae_jax.systems.penalties import base as penalties_base
from swae_jax.training import optimizers


class Folders(NamedTuple):
  """The options of config.data that belong to no data set."""
  dir: str = ''  # where the data sets are
  cache_dir: str = ''  # where decoded pictures are kept


class Rate(NamedTuple):
  """The option that all optimizers have."""
  learning_rate: options.Positive = 1e-3


class Part(NamedTuple):
  """A section of the config with a choice."""
  registry: Mapping[str, Callable[..., Any]]
  default: str  # the choice of a config that names none
  common: type | None = None  # a NamedTuple of options for all choices
  parts: Mapping[str, 'Part'] = {}  # sections inside this one

  def shared(self) -> dict[str, options.Option]:
    """The options that all choices of the section share."""
    return options.of_fields(self.common) if self.common else {}

  def own(self, name: str) -> dict[str, options.Option]:
    """The options that belong to one choice alone."""
    return {k: o for k, o in options.of(self.registry[name]).items()
            if k not in self.shared()}


PARTS = {
    'data': Part(data.DATASETS, 'digits', Folders),
    'network': Part(networks.NETWORKS, 'gated_conv'),
    'prior': Part(priors.PRIORS, 'normal'),
    'penalty': Part(penalties.PENALTIES, 'mmd'),
    'system': Part(systems.SYSTEMS, 'swae'),
}
PLAYERS = ('model', 'critic')  # 'critic' stands for all but the model.
OPTIMIZER = Part(optimizers.OPTIMIZERS, 'adam', Rate, {
    'schedule': Part(optimizers.SCHEDULES, 'constant')})


def of_system(name: str) -> tuple[str, ...]:
  """Names of the parts that a run of a system has."""
  needs = options.needs(systems.SYSTEMS[name])
  return ('data', *(p for p in ('network', 'prior', 'penalty') if p in needs),
          'system')


def make(path: str, config: Mapping[str, Any], **given: Any) -> Any:
  """The part that a config chooses.

  Args:
    path: 'network', or another name in PARTS.
    config: the chosen options, as `choice.chosen` returns them.
    **given: the positional arguments that the constructors of this part may
      ask for by name.
  """
  own, part = config[path], PARTS[path]
  constructor = part.registry[own['name']]
  shared = {k: own[k] for k in part.shared() if k in options.of(constructor)}
  return constructor(*(given[name] for name in options.needs(constructor)),
                     **shared, **own[own['name']])


def prior(config: Mapping[str, Any]) -> priors.Prior:
  """The prior of a config; refuses a law that `latents` does not fit."""
  made = make('prior', config)
  try:
    jax.eval_shape(
        lambda: made.sample(jax.random.key(0), 1, config['latents']))
  except ValueError as e:
    raise errors.UserError(
        f'--config.latents={config["latents"]}: prior {e}') from e
  return made


def penalty(config: Mapping[str, Any]) -> penalties_base.Penalty:
  """The penalty of a config."""
  return make('penalty', config, prior=prior(config),
              latents=config['latents'])


def players(config: Mapping[str, Any]) -> tuple[str, ...]:
  """The sections of config.optimizers that a run has."""
  if 'penalty' not in config:
    return PLAYERS[:1]
  # A key outside would start the devices before processes are connected.
  beside = jax.eval_shape(lambda: penalty(config).init(jax.random.key(0)))
  return PLAYERS[:2 if beside else 1]
