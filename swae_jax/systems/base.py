"""The interface of every system; all other packages use only this interface."""
from collections.abc import Callable
from typing import Any, NamedTuple

from flax import linen as nn
import jax


class Spec(NamedTuple):
  """Facts about the data and the run that a system needs."""
  shape: tuple[int, ...]  # [H, W, C] of an example
  bounded: bool  # values lie in [0, 1], so the decoder ends in a sigmoid
  binary: bool  # pixels are 0 or 1
  steps_per_epoch: int  # for weights that change during a run


class Variables(NamedTuple):
  """Everything that a system learns."""
  params: Any  # {player: parameters} of 'model' and, in a game, of 'critic'
  stats: Any  # running statistics of the model; {} if the model has none


class System(NamedTuple):
  """A system: pure functions of the variables that the system learns."""
  init: Callable  # key, x [examples, H, W, C] -> variables
  loss: Callable  # variables, x, key, step -> scalar, (stats, metrics)
  encode: Callable  # variables, x, key=None -> z [B, D]; no key: the mean code
  decode: Callable  # variables, z [B, D] -> mean image x [B, H, W, C]
  sample: Callable  # variables, key, n -> samples of the prior z [n, D]
  examples: int = 1  # number of training images that `init` receives
  # variables, x, key -> the scalar that validation compares; None: the loss
  valid: Callable | None = None
  # variables, x, key -> log p(x, z) - log q(z | x) at one z ~ q(z | x) [B];
  # None: the system has no likelihood
  log_weight: Callable | None = None


def collections(variables: Variables) -> dict[str, Any]:
  """The variables of the model as Flax's {collection: variables}."""
  return {'params': variables.params['model'], 'batch_stats': variables.stats}


def init(model: nn.Module, key: jax.Array, x: jax.Array) -> Variables:
  """The initial variables of a system with `model` as its only player."""
  # jit leaves out all computations but those of the initial values.
  fresh = jax.jit(lambda key, x: model.init(key, x))(key, x)
  return Variables({'model': fresh['params']}, fresh.get('batch_stats', {}))


def evaluate(model: nn.Module, variables: Variables, fn: Callable) -> Any:
  """Returns fn(model), with the statistics of `variables`."""
  return nn.apply(fn, model)(collections(variables))


def update(model: nn.Module, variables: Variables,
           fn: Callable) -> tuple[Any, Any]:
  """Returns fn(model), and the statistics after this call."""
  out, new = nn.apply(fn, model, mutable=['batch_stats'])(
      collections(variables))
  return out, new.get('batch_stats', {})
