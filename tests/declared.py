"""Every declared option of every part, and values that it may not have."""
import math
import typing

from swae_jax import evals, options
from swae_jax.training import config as config_lib
from swae_jax.training import parts

SCHEDULE = parts.OPTIMIZER.parts['schedule']
# The sections with a choice; 'optimizers.critic' is one by the penalty gan.
SECTIONS = {**parts.PARTS, 'optimizers.model': parts.OPTIMIZER,
            'optimizers.critic': parts.OPTIMIZER,
            'optimizers.model.schedule': SCHEDULE,
            'optimizers.critic.schedule': SCHEDULE}
PLAIN = {'general': ('', options.of_fields(config_lib.General)),
         'train': ('train.', options.of_fields(config_lib.Train)),
         'evals': ('evals.', {})}


def around(path, name=None):
  """Settings under which a section is one of the run."""
  found = {'latents': 2}
  if path in ('prior', 'penalty') or path.startswith('optimizers.critic'):
    found['system.name'] = 'wae'
  if path.startswith('optimizers.critic'):
    found['penalty.name'] = 'gan'
  return {**found, **({f'{path}.name': name} if name else {})}


def options_of(path):
  """(settings around it, its dotted name, Option) of all in a section."""
  if path == 'evals':
    for name in evals.EVALS:
      for option, o in config_lib.evaluator(name).items():
        yield ({} if option == 'run' else {f'evals.{name}.run': True},
               f'evals.{name}.{option}', o)
  elif path in PLAIN:
    prefix, known = PLAIN[path]
    yield from (({}, prefix + option, o) for option, o in known.items())
  else:
    part = SECTIONS[path]
    yield from ((around(path), f'{path}.{option}', o)
                for option, o in part.shared().items())
    for name in part.registry:
      yield from ((around(path, name), f'{path}.{name}.{option}', o)
                  for option, o in part.own(name).items())


def outside(o):
  """Values that an option may not have."""
  if typing.get_origin(o.kind) is tuple:
    inner = options.Option(None, *_plain(typing.get_args(o.kind)[0]))
    return ['text', *((value,) for value in outside(inner))]
  if typing.get_origin(o.kind) is typing.Literal:
    return ['no such name', math.nan]
  if o.kind in (bool, str):
    return [7]
  found = ['text', math.nan, math.inf, 10**400 if o.kind is int else 1e39]
  if o.kind is int:
    found += [1.5, True]
  if o.range and o.range.low > -math.inf:
    found.append(o.range.low if o.range.open_low else o.range.low - 1)
  if o.range and o.range.high < math.inf:
    found.append(o.range.high if o.range.open_high else o.range.high + 1)
  return found


def _plain(hint):
  if typing.get_origin(hint) is typing.Annotated:
    kind, limits = typing.get_args(hint)
    return kind, limits
  return hint, None
