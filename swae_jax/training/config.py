"""The config of a run: every option once, and the options that are chosen.

A config has a section for each part: `config.network.name` chooses one, and
`config.network.<name>.<option>` sets its options, which are the keyword
arguments of its constructor.  A config that a file returns holds the options
of all parts, so that each can be given on the command line.  `chosen` leaves
the parts that are chosen, checks every value, and refuses options of others.
"""
from collections.abc import Callable, Iterable, Mapping
import copy
import json
from typing import Any, Literal, NamedTuple

import jax
import ml_collections

from swae_jax import data, errors, evals, networks, options, priors, systems
from swae_jax.systems import penalties
from swae_jax.training import optimizers


class General(NamedTuple):
  """The options beside those of the parts."""
  name: str = ''  # names the default workdir, runs/<name>
  seed: options.CountOrZero = 0  # of the start, the order and all noise
  devices: options.CountOrZero = 0  # how many to use; 0: all there are
  latents: options.Count = 8  # dimension of the code


class Folders(NamedTuple):
  """The options of config.data beside those of the data sets."""
  dir: str = ''  # where the data sets are
  cache_dir: str = ''  # where decoded pictures are kept


class Rate(NamedTuple):
  """The options of an optimizer beside those of its kind."""
  learning_rate: options.Positive = 1e-3


class Train(NamedTuple):
  """The options of the training loop, config.train."""
  batch_size: options.Count = 100  # examples, over all devices together
  epochs: options.Count = 100  # the remainder of an epoch is dropped
  steps: options.CountOrZero = 0  # in place of epochs, if not 0
  log_every: options.Count = 100  # steps between lines of metrics.jsonl
  save_every: options.Count = 500  # steps between checkpoints
  max_to_keep: options.Count = 2  # checkpoints that stay
  valid_every: options.CountOrZero = 0  # epochs between validations; 0: none
  patience: options.CountOrZero = 0  # validations without a gain; 0: no limit
  select: Literal['last', 'best'] = 'last'  # the state that is evaluated
  max_skipped: options.CountOrZero = 10  # updates in a row that are not finite
  tensorboard: bool = False  # event files, too; needs tensorboardX


class Part(NamedTuple):
  """A section of the config with a choice."""
  registry: Mapping[str, Callable[..., Any]]
  shared: type | None = None  # a NamedTuple of options for all choices
  parts: Mapping[str, 'Part'] = {}  # choices within


PARTS = {
    'data': Part(data.DATASETS, Folders),
    'network': Part(networks.NETWORKS),
    'prior': Part(priors.PRIORS),
    'penalty': Part(penalties.PENALTIES),
    'system': Part(systems.SYSTEMS),
}
PLAYERS = ('model', 'critic')  # 'critic' is every player beside the model.
OPTIMIZER = Part(optimizers.OPTIMIZERS, Rate,
                 {'schedule': Part(optimizers.SCHEDULES)})
DEFAULT = {'data': 'digits', 'network': 'gated_conv', 'prior': 'normal',
           'penalty': 'mmd', 'system': 'swae'}


def values(known: Mapping[str, options.Option]) -> dict[str, Any]:
  """{option: default}."""
  return {name: option.default for name, option in known.items()}


def _shared(part: Part) -> dict[str, options.Option]:
  return options.of_fields(part.shared) if part.shared else {}


def section(part: Part, name: str) -> dict[str, Any]:
  """All options of a part, with `name` chosen."""
  # What all choices share is given once, and not with each of them.
  own = {choice: values({k: o for k, o in options.of(make).items()
                         if k not in _shared(part)})
         for choice, make in part.registry.items()}
  inner = {key: section(p, next(iter(p.registry)))
           for key, p in part.parts.items()}
  return {'name': name, **values(_shared(part)), **inner, **own}


def defaults() -> ml_collections.ConfigDict:
  """Every option of every part, with its default."""
  return ml_collections.ConfigDict({
      **values(options.of_fields(General)),
      **{key: section(part, DEFAULT[key]) for key, part in PARTS.items()},
      'optimizers': {player: section(OPTIMIZER, 'adam') for player in PLAYERS},
      'train': values(options.of_fields(Train)),
      'evals': {name: {'run': evaluator.default,
                       **values(options.of(evaluator.run))}
                for name, evaluator in evals.EVALS.items()}})


def get_config(settings: Mapping[str, Any]) -> ml_collections.ConfigDict:
  """A config with every option; {option: value} of what is no default.

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
  """Sets one option by its dotted name."""
  *path, name = option.split('.')
  inner: Any = config
  for key in path:
    if not isinstance(inner, ml_collections.ConfigDict) or key not in inner:
      break
    inner = inner[key]
  else:
    if isinstance(inner, ml_collections.ConfigDict) and name in inner:
      if isinstance(inner[name], float) and type(value) is int:
        value = float(value)
      with inner.ignore_type():
        inner[name] = value
      return
  raise errors.UserError(f'--config.{option}: there is no such option'
                         f'{options.near(option, flat(config.to_dict()))}')


def mistyped(option: str, text: str) -> errors.UserError:
  """The error for a text that is no value of an option."""
  value = at(defaults(), option)
  kinds = {bool: 'true or false', int: 'a whole number', float: 'a number',
           str: 'a text', tuple: f'a list in brackets, such as {value}'}
  if type(value) in kinds:
    return errors.UserError(
        f'--config.{option}={text}: it must be {kinds[type(value)]}')
  return errors.UserError(
      f'--config.{option}={text}: this is a section of options; give '
      f'--config.{option}.name={text}, or one option in it')


def flat(value: Any, name: str = '') -> dict[str, Any]:
  """{a.b: value} of nested dicts."""
  if not isinstance(value, dict):
    return {name: value}
  return {k: v for key, inner in value.items()
          for k, v in flat(inner, f'{name}.{key}'.lstrip('.')).items()}


def choices(config: Mapping[str, Any]) -> dict[str, Part]:
  """{section: Part} of everything in a config that has a name to choose."""
  found = dict(PARTS)
  for player in config['optimizers']:
    found[f'optimizers.{player}'] = OPTIMIZER
    for key, part in OPTIMIZER.parts.items():
      found[f'optimizers.{player}.{key}'] = part
  return found


def at(config: Any, path: str) -> Any:
  """The section of a dotted name."""
  for key in path.split('.'):
    config = config[key]
  return config


def settle(config: ml_collections.ConfigDict, given: Iterable[str]) -> None:
  """Makes a choice on the command line replace that of the config file.

  What the file sets for a part that is no longer chosen becomes a default
  again, so that nothing is inherited from one name by another.

  Args:
    config: as a file returns it, with the options that were given set.
    given: names of the options that were given, such as 'network.name'.

  Raises:
    errors.UserError: an option that was given is of a part that is not chosen.
  """
  given, fresh = set(given), defaults()
  used = parts_of(config.system.name)
  for path, part in choices(config).items():
    own = at(config, path)
    if path in PARTS and path not in used:
      _refuse_unused(path, config.system.name, given)
      for key, value in at(fresh, path).items():
        own[key] = value
      continue
    for name in part.registry:
      if name == own.name:
        continue
      inside = [o for o in given if o.startswith(f'{path}.{name}.')]
      if inside:
        raise errors.UserError(
            f'--config.{inside[0]}: config.{path}.name is {own.name}; give '
            f'--config.{path}.name={name}, too, or leave the option out')
      if f'{path}.name' in given:
        own[name] = copy.deepcopy(at(fresh, path)[name])
  if 'system.name' in given:
    for name in systems.SYSTEMS:
      if name != config.system.name:
        config.system[name] = copy.deepcopy(fresh.system[name])


def _refuse_unused(path: str, system: str, given: set[str]) -> None:
  inside = [o for o in given if o.startswith(f'{path}.')]
  if inside:
    how = ('learns its prior' if path == 'prior' and system != 'wae'
           else f'takes no {path}')
    raise errors.UserError(
        f'--config.{inside[0]}: the system {system} {how}; give '
        f'--config.system.name=wae, or leave the option out')


def parts_of(system: str) -> tuple[str, ...]:
  """Names of the parts that a run of a system has."""
  if system not in systems.SYSTEMS:
    raise _no_choice('system', system, systems.SYSTEMS)
  needs = options.needs(systems.SYSTEMS[system])
  return ('data', *(p for p in ('network', 'prior', 'penalty') if p in needs),
          'system')


def chosen(config: Any) -> ml_collections.ConfigDict:
  """The options that a run depends on, complete and checked.

  Args:
    config: with the options of all parts, or of the chosen ones alone.

  Raises:
    errors.UserError: a name or an option that does not exist, a value out of
      range, or an option of a part that is not chosen and no default.
  """
  given = _plain(config)
  general = {k: v for k, v in given.items() if k in General._fields}
  out = options.check('config', options.of_fields(General), general)
  known = {*General._fields, *PARTS, 'optimizers', 'train', 'evals'}
  for name in given.keys() - known:
    raise errors.UserError(f'--config.{name}: there is no such option'
                           f'{options.near(name, known)}')
  used = parts_of(given.get('system', {}).get('name', DEFAULT['system']))
  for path, part in PARTS.items():
    own = given.get(path, {'name': DEFAULT[path]})
    if path in used:
      out[path] = choose(path, part, own)
    else:
      _refuse_changed(path, section(part, DEFAULT[path]), own, used)
  out['optimizers'] = {
      player: choose(f'optimizers.{player}', OPTIMIZER, given.get(
          'optimizers', {}).get(player, {'name': 'adam'}))
      for player in players(out)}
  out['train'] = options.check(
      'config.train', options.of_fields(Train), given.get('train', {}))
  out['evals'] = _evals(given.get('evals', defaults().evals.to_dict()))
  return ml_collections.ConfigDict(out)


def choose(path: str, part: Part, given: Mapping[str, Any]) -> dict[str, Any]:
  """A section with its choice alone, checked."""
  where, name = f'config.{path}', given.get('name')
  if name not in part.registry:
    raise _no_choice(path, name, part.registry)
  own = {k: o for k, o in options.of(part.registry[name]).items()
         if k not in _shared(part)}
  shared = options.check(where, _shared(part), {
      k: v for k, v in given.items()
      if k != 'name' and k not in part.parts and k not in part.registry})
  inner = {key: choose(f'{path}.{key}', p, given.get(
      key, {'name': next(iter(p.registry))})) for key, p in part.parts.items()}
  for other in part.registry:
    if other != name and other in given:
      _refuse_changed(f'{path}.{other}', values(options.of(
          part.registry[other])), given[other], ())
  return {'name': name, **shared, **inner, name: options.check(
      f'{where}.{name}', own, given.get(name, {}))}


def _refuse_changed(path: str, known: Mapping[str, Any],
                    given: Mapping[str, Any], used: Iterable[str]) -> None:
  """Refuses an option of a part that is not chosen, if it is no default."""
  before, now = (flat(json.loads(json.dumps(v))) for v in (known, given))
  for option, value in now.items():
    if option not in before or before[option] != value:
      parent, _, name = path.rpartition('.')
      why = (f'config.{parent}.name chooses another' if parent else
             'the system has no use for it')
      raise errors.UserError(
          f'--config.{path}.{option}={value}: {why}; leave the option out')


def _no_choice(path: str, name: Any, registry: Iterable[str]):
  return errors.UserError(
      f'--config.{path}.name={name}: choose one of '
      f'{", ".join(sorted(registry))}')


def players(config: Mapping[str, Any]) -> tuple[str, ...]:
  """The sections of config.optimizers that a run has."""
  if 'penalty' not in config:
    return PLAYERS[:1]
  beside = jax.eval_shape(penalty(config).init, jax.random.key(0))
  return PLAYERS[:2 if beside else 1]


def make(path: str, config: Mapping[str, Any], **given: Any) -> Any:
  """The part that a config chooses.

  Args:
    path: 'network', or another section with a choice.
    config: as `chosen` returns it.
    **given: the positional arguments that the constructors of this part may
      ask for by name.
  """
  own = config[path]
  constructor = PARTS[path].registry[own['name']]
  shared = {k: own[k] for k in _shared(PARTS[path])
            if k in options.of(constructor)}
  return constructor(*(given[name] for name in options.needs(constructor)),
                     **shared, **own[own['name']])


def prior(config: Mapping[str, Any]) -> priors.Prior:
  """The prior of a config; refuses a law that has no such dimension."""
  made = make('prior', config)
  try:
    jax.eval_shape(lambda key: made.sample(key, 1, config['latents']),
                   jax.random.key(0))
  except ValueError as e:
    raise errors.UserError(
        f'--config.latents={config["latents"]}: prior {e}') from e
  return made


def penalty(config: Mapping[str, Any]) -> Any:
  """The penalty of a config."""
  return make('penalty', config, prior=prior(config),
              latents=config['latents'])


def _evals(given: Mapping[str, Any]) -> dict[str, Any]:
  """The evaluators that run, each with its options."""
  found = {}
  for name in given.keys() - evals.EVALS.keys():
    raise errors.UserError(f'--config.evals.{name}: there is no such evaluator'
                           f'{options.near(name, evals.EVALS)}')
  for name, evaluator in evals.EVALS.items():
    known = {'run': options.Option(evaluator.default, bool),
             **options.of(evaluator.run)}
    if name in given:  # One that is left out does not run.
      checked = options.check(f'config.evals.{name}', known, given[name])
      if checked['run']:
        found[name] = checked
  return found


def _plain(config: Any) -> dict[str, Any]:
  """A config as nested dicts."""
  return config.to_dict() if hasattr(config, 'to_dict') else dict(config)


def restore(saved: Mapping[str, Any]) -> ml_collections.ConfigDict:
  """The config with every option of a run whose chosen ones were kept."""
  config = defaults()
  for name in evals.EVALS:
    config.evals[name].run = name in saved['evals']
  for option, value in flat(_plain(saved)).items():
    put(config, option, tuple(value) if isinstance(value, list) else value)
  return config
