"""Keeps and checks the options of the chosen parts of a run.

A choice inherits nothing from another choice.  An option of a part that is not
chosen is an error, and a value out of its range is an error.  The message names
the flag.
"""
from collections.abc import Iterable, Mapping
from typing import Any

import ml_collections

from swae_jax import errors, evals, options, systems
from swae_jax.training import config as config_lib
from swae_jax.training import parts


def chosen(config: Mapping[str, Any] | ml_collections.ConfigDict) -> Any:
  """The options that a run depends on, complete and checked.

  Args:
    config: has the options of all parts, or only those of the chosen parts.

  Returns:
    A ConfigDict.

  Raises:
    errors.UserError: a name or an option does not exist, a value is out of
      range, or an option of a part that is not chosen differs from its default.
  """
  given = config.to_dict() if isinstance(
      config, ml_collections.ConfigDict) else dict(config)
  known = {*config_lib.General._fields, *parts.PARTS, 'optimizers', 'train',
           'evals'}
  _refuse_unknown('config', given, known)
  out = _general_and_parts(given)
  out['optimizers'] = _optimizers(_dict('optimizers', given), out)
  out['train'] = options.check(
      'config.train', options.of_fields(config_lib.Train),
      _dict('train', given))
  out['evals'] = _evals(
      _dict('evals', given) if 'evals' in given
      else config_lib.defaults().evals.to_dict())
  return ml_collections.ConfigDict(out)


def settle(config: Any, given: Iterable[str]) -> None:
  """Lets choices on the command line replace those of the config file.

  If the command line chooses another part, the options that the file sets for
  the old part become defaults again.

  Args:
    config: the config of a file, with the options of the command line set.
    given: names of the options of the command line, such as 'network.name'.

  Raises:
    errors.UserError: an option in `given` belongs to a part that is not chosen.
  """
  given, fresh = tuple(given), config_lib.defaults()
  _require('system', config.system.name, systems.SYSTEMS)
  used = parts.of_system(config.system.name)
  for path, part in parts.PARTS.items():
    if path in used:
      _settle_choice(config, path, part, given, fresh)
    else:
      _reset(config, path, _takes_none(path, config.system.name), given, fresh)
  players = parts.players(_general_and_parts(config.to_dict()))
  for player in parts.PLAYERS:
    path = f'optimizers.{player}'
    if player in players:
      _settle_choice(config, path, parts.OPTIMIZER, given, fresh)
    else:
      _reset(config, path, NO_CRITIC, given, fresh)
  for name, own in config.evals.items():
    if not own.run:
      _reset(config, f'evals.{name}', _does_not_run(name), given, fresh,
             but='run')


NO_CRITIC = ('only a penalty with a critic has this optimizer; give '
             '--config.penalty.name=gan, too, or leave the option out')


def _takes_none(path: str, system: str) -> str:
  others = [name for name in sorted(systems.SYSTEMS)
            if path in parts.of_system(name)]
  return (f'the system {system} takes no {path}; leave the option out, or give '
          f'--config.system.name={" or ".join(others)}, too')


def _other_choice(path: str, name: str, instead: str) -> str:
  return (f'config.{path}.name is {name}; give --config.{path}.name={instead}, '
          'too, or leave the option out')


def _does_not_run(name: str) -> str:
  return (f'this evaluator does not run; give --config.evals.{name}.run=True, '
          'too, or leave the option out')


def _settle_choice(config: ml_collections.ConfigDict, path: str,
                   part: parts.Part, given: tuple[str, ...],
                   fresh: ml_collections.ConfigDict) -> None:
  """`settle` for one section with a choice, and for the choices inside it."""
  name = config_lib.at(config, path).name
  _require(path, name, part.registry)
  for other in part.registry:
    if other != name:
      inside = f'{path}.{other}'
      _refuse_given(inside, _other_choice(path, name, other), given)
      if f'{path}.name' in given:
        config_lib.at(config, path)[other] = config_lib.at(fresh, inside)
  for key, inner in part.parts.items():
    _settle_choice(config, f'{path}.{key}', inner, given, fresh)


def _reset(config: ml_collections.ConfigDict, path: str, why: str,
           given: tuple[str, ...], fresh: ml_collections.ConfigDict,
           but: str = '') -> None:
  """Gives all options of a section that a run does not use their defaults."""
  _refuse_given(path, why, [o for o in given if o != f'{path}.{but}'])
  own = config_lib.at(config, path)
  for key, value in config_lib.at(fresh, path).items():
    if key != but:
      own[key] = value


def _refuse_given(path: str, why: str, given: Iterable[str]) -> None:
  for option in given:
    if option.startswith(f'{path}.'):
      raise errors.UserError(f'--config.{option}: {why}')


def _general_and_parts(given: Mapping[str, Any]) -> dict[str, Any]:
  """The general options and the chosen parts, checked."""
  fields = config_lib.General._fields
  out = options.check('config', options.of_fields(config_lib.General),
                      {k: v for k, v in given.items() if k in fields})
  system = _dict('system', given).get('name', parts.PARTS['system'].default)
  _require('system', system, systems.SYSTEMS)
  for path, part in parts.PARTS.items():
    if path in parts.of_system(system):
      out[path] = _choose(path, part, given)
    else:
      _refuse_changed(path, config_lib.section(part), _dict(path, given),
                      _takes_none(path, system))
  return out


def _optimizers(given: Mapping[str, Any],
                out: Mapping[str, Any]) -> dict[str, Any]:
  """The optimizer of each player, checked."""
  _refuse_unknown('config.optimizers', given, parts.PLAYERS)
  players = parts.players(out)
  for player in given.keys() - set(players):
    _refuse_changed(f'optimizers.{player}', config_lib.section(parts.OPTIMIZER),
                    given[player], NO_CRITIC)
  return {player: _choose(f'optimizers.{player}', parts.OPTIMIZER, given)
          for player in players}


def _choose(path: str, part: parts.Part,
            parent: Mapping[str, Any]) -> dict[str, Any]:
  """A section with its choice and no other, checked."""
  where, given = f'config.{path}', _dict(path, parent)
  name = given.get('name', part.default)
  _require(path, name, part.registry)
  shared, own = part.shared(), part.own(name)
  _refuse_unknown(where, given, {'name', *shared, *part.parts, *part.registry})
  for other in given.keys() & (part.registry.keys() - {name}):
    _refuse_changed(
        f'{path}.{other}', config_lib.values(part.own(other)),
        _dict(f'{path}.{other}', given), _other_choice(path, name, other))
  return {
      'name': name,
      **options.check(where, shared, {
          k: v for k, v in given.items() if k in shared}),
      **{key: _choose(f'{path}.{key}', inner, given)
         for key, inner in part.parts.items()},
      name: options.check(
          f'{where}.{name}', own, _dict(f'{path}.{name}', given))}


def _evals(given: Mapping[str, Any]) -> dict[str, Any]:
  """The evaluators that run, each with its options, checked."""
  _refuse_unknown('config.evals', given, evals.EVALS)
  found = {}
  for name in evals.EVALS:
    if name not in given:  # An evaluator that is left out.
      continue
    known, own = config_lib.evaluator(name), _dict(f'evals.{name}', given)
    checked = options.check(f'config.evals.{name}', known, own)
    if checked['run']:
      found[name] = checked
    else:
      _refuse_changed(f'evals.{name}', {
          **config_lib.values(known), 'run': False}, own, _does_not_run(name))
  return found


def _require(path: str, name: Any, registry: Mapping[str, Any]) -> None:
  """Refuses a name that is not in a registry."""
  if not isinstance(name, str) or name not in registry:
    near = options.near(name, registry) if isinstance(name, str) else ''
    near = near if 'mean' in near else ''
    raise errors.UserError(f'--config.{path}.name={name}: choose one of '
                           f'{", ".join(sorted(registry))}{near}')


def _refuse_unknown(where: str, given: Iterable[str],
                    known: Iterable[str]) -> None:
  for name in given:
    if name not in known:
      raise errors.UserError(f'--{where}.{name}: there is no such option'
                             f'{options.near(name, known)}')


def _refuse_changed(path: str, known: Mapping[str, Any],
                    given: Mapping[str, Any], why: str) -> None:
  """Refuses options of an unused section that differ from their defaults."""
  before, now = config_lib.flat(dict(known)), config_lib.flat(dict(given))
  for option, value in now.items():
    value = tuple(value) if isinstance(value, list) else value
    if option not in before or before[option] != value:
      raise errors.UserError(f'--config.{path}.{option}={value}: {why}')


def _dict(path: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
  """The section in `given` that the last name of `path` names."""
  found = given.get(path.rpartition('.')[2], {})
  if not isinstance(found, Mapping):
    raise errors.UserError(f'--config.{path}={found}: this is a section of '
                           'options')
  return found
