"""The contract between a trained system and the evaluators.

An evaluator is a function run(view, *, options).  It sees a View of the
system, never its parameters, and yields Metrics and Pictures.
"""
from collections.abc import Callable, Iterator, Mapping, Sequence
import functools
import itertools
from typing import Any, NamedTuple

import jax
import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.systems import base as systems_base


class View(NamedTuple):
  """A trained system as functions of numpy arrays with any number of rows.

  Attributes:
    encode: x [N, H, W, C], uint8 or float, -> mean codes z [N, D].
    decode: z [N, D] -> x [N, H, W, C] float; images lie in [0, 1].
    sample: n -> z_prior [n, D], drawn from the prior.  Equal calls return equal
      codes, and a smaller n returns the first of them.
    data: the data set that the system was trained on.
    log_weights: x [N, H, W, C], S -> log p(x, z) - log q(z | x) at S draws of z
      for each x, [S, N].  Equal calls draw equal z.  None if the system has no
      such densities.
    draw: x [N, H, W, C] -> one draw of each code [N, D].  The draw is the mean
      code if the encoder is deterministic.  Equal calls return equal draws.
  """
  encode: Callable[[np.ndarray], np.ndarray]
  decode: Callable[[np.ndarray], np.ndarray]
  sample: Callable[[int], np.ndarray]
  data: Any
  log_weights: Callable[[np.ndarray, int], np.ndarray] | None = None
  draw: Callable[[np.ndarray], np.ndarray] | None = None


class Metric(NamedTuple):
  """A number in results.json.

  Attributes:
    name: names the number everywhere: in tables, reports and results.json.  An
      option that changes the meaning of the number is part of its name.
    value: the number; NaN if the system gave values that are not finite.
    samples: how many examples the number is computed from.
    split: the split of these examples: 'train', 'valid' or 'test'.
    protocol: the details of the computation that the name does not give.
  """
  name: str
  value: float
  samples: int
  split: str = 'test'
  protocol: str = ''


class Picture(NamedTuple):
  """A picture in the folder `images` of the workdir.

  Attributes:
    name: the name of the file, without '.png'.
    image: uint8 [H, W] if grey, or [H, W, 3].
  """
  name: str
  image: np.ndarray


class Evaluator(NamedTuple):
  """An entry of EVALS.

  Attributes:
    run: view, *, options -> yields Metrics and Pictures.
    check: data set, options -> raises errors.UserError if the options do not
      fit the data set.  It is called before training.  None checks nothing.
    default: whether the evaluator runs unless a config turns it off.
  """
  run: Callable[..., Iterator[Metric | Picture]]
  check: Callable[[data_base.Dataset, Mapping[str, Any]], None] | None = None
  default: bool = False


def view(system: systems_base.System, variables: systems_base.Variables,
         dataset: data_base.Dataset | None, key: jax.Array,
         batch_size: int = 500) -> View:
  """The view of a system with these variables.

  Args:
    system: the system.
    variables: its parameters and statistics.
    dataset: becomes View.data.
    key: the key of all draws.
    batch_size: rows that are computed at once.
  """
  encode, draw_code, decode, sample, log_weight = _compiled(system)
  # Every batch would copy arrays on the host to the device again.
  variables = jax.tree.map(
      lambda x: x if isinstance(x, jax.Array) else jax.device_put(x), variables)
  # Three keys: with one key, codes and samples would have the same noise.
  prior_key, code_key, weight_key = jax.random.split(key, 3)

  def prior(n):
    # Each batch has its own key, so a smaller n gives the first rows of a
    # larger n.
    batches = [sample(variables, jax.random.fold_in(prior_key, i), batch_size)
               for i in range(max(1, -(-n // batch_size)))]
    return np.concatenate([np.asarray(z) for z in batches])[:n]

  def draw(x):
    keys = (jax.random.fold_in(code_key, i) for i in itertools.count())
    return _batched(lambda v, batch: draw_code(v, batch, next(keys)),
                    variables, x, batch_size)

  def log_weights(x, samples):
    return _weighed(log_weight, variables, x, samples, weight_key, batch_size)

  return View(
      lambda x: _batched(encode, variables, x, batch_size),
      lambda z: _batched(decode, variables, z, batch_size), prior, dataset,
      log_weights if log_weight else None, draw)


def is_image(shape: tuple[int, ...]) -> bool:
  """Whether [H, W, C] is a picture: grey or RGB, more than one pixel."""
  height, width, channels = shape
  return height * width > 1 and channels in (1, 3)


def refused(option: str, value: Any, why: str) -> errors.UserError:
  """The error for an option, such as 'knn.k', that does not fit the data."""
  return errors.UserError(f'--config.evals.{option}={value}: {why}')


def check_list(option: str, values: Sequence[Any]) -> None:
  """Refuses an option that is an empty list, or names a value twice."""
  if not values:
    evaluator, _, _ = option.partition('.')
    raise refused(option, '()', 'it must name at least one; to turn the '
                  f'evaluator off, set --config.evals.{evaluator}.run=False')
  if len(set(values)) < len(values):
    raise refused(option, values, 'it must name each value once')


# Each evaluation makes a view; with the cache only the first one compiles.
@functools.lru_cache(maxsize=4)
def _compiled(system):
  """The functions of a system, compiled once for all views."""

  def encode(variables, x):
    return system.encode(variables, data_base.to_float(x))

  def draw(variables, x, key):
    return system.encode(variables, data_base.to_float(x), key)

  def log_weight(variables, x, key, draws):
    # The law of z does not depend on the key, so vmap computes the law once.
    return jax.vmap(
        lambda k: system.log_weight(variables, data_base.to_float(x), k))(
            jax.random.split(key, draws))

  return (jax.jit(encode), jax.jit(draw), jax.jit(system.decode),
          jax.jit(system.sample, static_argnums=2),
          system.log_weight and jax.jit(log_weight, static_argnums=3))


def _batched(fn, variables, rows, batch_size):
  """fn(variables, batch) over all rows, in padded batches of one shape."""
  rows = np.asarray(rows)
  out = []
  for start in range(0, max(1, len(rows)), batch_size):
    batch = rows[start:start + batch_size]
    padding = [(0, batch_size - len(batch))] + [(0, 0)] * (rows.ndim - 1)
    out.append(np.asarray(fn(variables, np.pad(batch, padding)))[:len(batch)])
  return np.concatenate(out)


def _weighed(fn, variables, x, samples, key, batch_size):
  """Log-weights [samples, N]; a call computes `batch_size` draws."""
  draws = min(samples, batch_size)
  weigh = lambda batch, at: np.concatenate([
      np.asarray(fn(variables, batch, jax.random.fold_in(at, i), draws))
      for i in range(0, samples, draws)])[:samples]
  keys = (jax.random.fold_in(key, i) for i in itertools.count())
  return _batched(lambda _, batch: weigh(batch, next(keys)).T, variables, x,
                  batch_size // draws).T
