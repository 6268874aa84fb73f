"""What every system provides; the floors above see nothing else."""
from collections.abc import Callable
from typing import Any, NamedTuple

from flax import linen as nn
import jax

from swae_jax import errors


class Spec(NamedTuple):
  """What a system must know of the data and of how they come."""
  shape: tuple  # [H, W, C] of an example.
  bounded: bool  # Values in [0, 1]: the decoder ends in a sigmoid.
  steps_per_epoch: int  # For what changes in the course of a run.


class Variables(NamedTuple):
  """All that a system has learned."""
  params: Any  # By player: 'model', and 'critic' where there is a game.
  stats: Any  # Running statistics of the model; {} if it keeps none.


class System(NamedTuple):
  """A system: pure functions of its variables."""
  init: Callable  # key, x [N, H, W, C] -> variables
  loss: Callable  # variables, x, key, step -> scalar, (stats, metrics)
  encode: Callable  # variables, x, key=None -> z [B, D]; None: the mean code
  decode: Callable  # variables, z [B, D] -> x [B, H, W, C]
  sample: Callable  # variables, key, n -> z ~ the prior [n, D]
  examples: int = 1  # How many training images `init` starts from.
  # variables, x, key -> what validation compares; None: the loss.
  valid: Callable | None = None
  # variables, x, key -> log p(x, z) - log q(z | x) at one z ~ q(z | x) [B].
  log_weight: Callable | None = None


def collections(variables):
  """The form in which Flax takes the variables of the model."""
  return {'params': variables.params['model'], 'batch_stats': variables.stats}


def init(model, key, x):
  """Variables of `model` as the only player."""
  # Compiled, so that nothing is computed but the initial values.
  fresh = jax.jit(lambda key, x: model.init(key, x))(key, x)
  return Variables({'model': fresh['params']}, fresh.get('batch_stats', {}))


def evaluate(model, variables, fn):
  """fn(model), statistics frozen."""
  return nn.apply(fn, model)(collections(variables))


def update(model, variables, fn):
  """fn(model), and the statistics that it leaves."""
  out, new = nn.apply(fn, model, mutable=['batch_stats'])(
      collections(variables))
  return out, new.get('batch_stats', {})


def choice(table, option, value):
  """table[value], for the option of that name."""
  if value not in table:
    raise errors.UserError(
        f'{option}={value!r}: choose one of {", ".join(sorted(table))}')
  return table[value]
