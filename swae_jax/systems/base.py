"""What every system provides; the floors above see nothing else."""
from collections.abc import Callable
from typing import Any, NamedTuple

from flax import linen as nn
import jax


class Spec(NamedTuple):
  """What a system must know of the data and of the run."""
  shape: tuple[int, ...]  # [H, W, C] of an example
  bounded: bool  # values lie in [0, 1]: the decoder ends in a sigmoid
  binary: bool  # pixels are 0 or 1
  steps_per_epoch: int  # for whatever changes in the course of a run


class Variables(NamedTuple):
  """All that a system has learned."""
  params: Any  # by player: 'model', and for example 'critic' in a game
  stats: Any  # running statistics of the model; {} if it keeps none


class System(NamedTuple):
  """A system: pure functions of its variables."""
  init: Callable  # key, x [examples, H, W, C] -> variables
  loss: Callable  # variables, x, key, step -> scalar, (stats, metrics)
  encode: Callable  # variables, x, key=None -> z [B, D]; None: the mean code
  decode: Callable  # variables, z [B, D] -> x [B, H, W, C]
  sample: Callable  # variables, key, n -> z ~ the prior [n, D]
  examples: int = 1  # how many training images `init` starts from
  # variables, x, key -> the scalar that validation compares; None: the loss
  valid: Callable | None = None
  # variables, x, key -> log p(x, z) - log q(z | x) at one z ~ q(z | x) [B]
  log_weight: Callable | None = None


def collections(variables: Variables) -> dict[str, Any]:
  """The form in which Flax takes the variables of the model."""
  return {'params': variables.params['model'], 'batch_stats': variables.stats}


def init(model: nn.Module, key: jax.Array, x: jax.Array) -> Variables:
  """The initial variables of `model` as the only player."""
  # Compiled, so that nothing is computed but the initial values.
  fresh = jax.jit(lambda key, x: model.init(key, x))(key, x)
  return Variables({'model': fresh['params']}, fresh.get('batch_stats', {}))


def evaluate(model: nn.Module, variables: Variables, fn: Callable) -> Any:
  """fn(model) with frozen statistics."""
  return nn.apply(fn, model)(collections(variables))


def update(model: nn.Module, variables: Variables,
           fn: Callable) -> tuple[Any, Any]:
  """fn(model), and the statistics after it."""
  out, new = nn.apply(fn, model, mutable=['batch_stats'])(
      collections(variables))
  return out, new.get('batch_stats', {})
