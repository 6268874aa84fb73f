"""The config of a run: every option of every part, once.

A config has a section for each part: `config.network.name` chooses one, and
`config.network.<name>.<option>` sets its options, which are the keyword
arguments of its constructor.  A config that a file returns holds the options
of all parts, so that the command line can set each; `choice.chosen` keeps only
the options of the chosen parts.
"""
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import ml_collections

from swae_jax import errors, evals, options
from swae_jax.training import parts


class General(NamedTuple):
  """The options that belong to no part."""
  name: str = ''  # names the default workdir, runs/<name>
  # of the first parameters, the order of examples and all noise
  seed: options.Seed = 0
  devices: options.CountOrZero = 0  # how many to use; 0 uses all
  latents: options.Count = 8  # dimension of the code
  # lowers batch size and counts of examples to the number of training images
  fit: bool = False


class Train(NamedTuple):
  """The options of the training loop, config.train."""
  batch_size: options.Count = 100  # examples, on all devices together
  epochs: options.Count = 100  # the remainder of an epoch is dropped
  steps: options.CountOrZero = 0  # in place of epochs, if not 0
  log_every: options.Count = 100  # steps between lines of metrics.jsonl
  save_every: options.Count = 500  # steps between checkpoints
  max_to_keep: options.Count = 2  # newest checkpoints that are kept
  valid_every: options.CountOrZero = 0  # epochs between validations; 0: none
  patience: options.CountOrZero = 0  # validations without a gain; 0: any number
  select: Literal['last', 'best'] = 'last'  # the state that is evaluated
  max_skipped: options.CountOrZero = 10  # non-finite updates in a row
  tensorboard: bool = False  # also event files; needs tensorboardX


def values(known: Mapping[str, options.Option]) -> dict[str, Any]:
  """{option: default}."""
  return {name: option.default for name, option in known.items()}


def section(part: parts.Part) -> dict[str, Any]:
  """All options of a part, with its default chosen."""
  return {'name': part.default,
          **values(part.shared()),
          **{key: section(inner) for key, inner in part.parts.items()},
          **{name: values(part.own(name)) for name in part.registry}}


def evaluator(name: str) -> dict[str, options.Option]:
  """The options of an evaluator, and whether it runs."""
  found = evals.EVALS[name]
  return {'run': options.Option(found.default, bool),
          **options.of(found.run)}


def defaults() -> Any:
  """A ConfigDict of every option of every part, with its default."""
  return ml_collections.ConfigDict({
      **values(options.of_fields(General)),
      **{path: section(part) for path, part in parts.PARTS.items()},
      'optimizers': {player: section(parts.OPTIMIZER)
                     for player in parts.PLAYERS},
      'train': values(options.of_fields(Train)),
      'evals': {name: values(evaluator(name)) for name in evals.EVALS}})


def get_config(settings: Mapping[str, Any]) -> ml_collections.ConfigDict:
  """A config with every option; `settings` are those that are no defaults.

  Args:
    settings: such as {'latents': 64, 'network.name': 'mlp',
      'network.mlp.hidden': 500}.

  Raises:
    errors.UserError: there is no such option.
  """
  config = defaults()
  for option, value in settings.items():
    put(config, option, value)
  return config


def put(config: ml_collections.ConfigDict, option: str, value: Any) -> None:
  """Sets an option by its dotted name; `choice.chosen` checks the range."""
  inner, name = find(config, option, value)
  if isinstance(inner[name], float) and type(value) is int:
    value = float(value)
  with inner.ignore_type():
    inner[name] = value


def find(config: ml_collections.ConfigDict, option: str, value: Any
         ) -> tuple[ml_collections.ConfigDict, str]:
  """The section that holds an option, and the last part of the dotted name.

  Raises:
    errors.UserError: there is no such option that can have a value.
  """
  *path, name = option.split('.')
  inner: Any = config
  for key in path:
    if not isinstance(inner, ml_collections.ConfigDict) or key not in inner:
      break
    inner = inner[key]
  else:
    if isinstance(inner, ml_collections.ConfigDict) and name in inner:
      if isinstance(inner[name], ml_collections.ConfigDict):
        raise mistyped(option, value)
      return inner, name
  # Either the name is right and its section wrong, or the other way round.
  alike = [known for known in flat(config.to_dict())
           if f'.{known}'.endswith(f'.{name}')]
  raise errors.UserError(
      f'--config.{option}: there is no such option' + (
          options.near(option, alike) if alike else options.near(
              *((name, inner) if hasattr(inner, 'keys') else (option, ())))))


def mistyped(option: str, text: Any) -> errors.UserError:
  """The error for a text that is not a value of an option."""
  value = at(defaults(), option)
  kinds = {bool: 'true or false', int: 'a whole number', float: 'a number',
           str: 'a text', tuple: f'a list in brackets, such as {value}'}
  if type(value) in kinds:
    return errors.UserError(
        f'--config.{option}={text}: it must be {kinds[type(value)]}')
  choose = f'--config.{option}.name={text}, or ' if 'name' in value else ''
  return errors.UserError(
      f'--config.{option}={text}: this is a section of options; give '
      f'{choose}one option in it')


def flat(value: Any, name: str = '') -> dict[str, Any]:
  """{a.b: value} of nested dicts."""
  if not isinstance(value, dict):
    return {name: value}
  return {k: v for key, inner in value.items()
          for k, v in flat(inner, f'{name}.{key}'.lstrip('.')).items()}


def at(config: Any, path: str) -> Any:
  """The section of a dotted name."""
  for key in path.split('.'):
    config = config[key]
  return config


def restore(saved: Any) -> Any:
  """The config with every option, from the chosen options that a run saved."""
  config = defaults()
  for name in evals.EVALS:
    config.evals[name].run = name in saved['evals']
  for option, value in flat(saved.to_dict() if isinstance(
      saved, ml_collections.ConfigDict) else dict(saved)).items():
    put(config, option, tuple(value) if isinstance(value, list) else value)
  return config
