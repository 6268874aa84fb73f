"""What evaluators see of a trained system, and what they give back."""
from collections.abc import Callable
import functools
import itertools
from typing import NamedTuple

import jax
import numpy as np

from swae_jax.data import base as data_base


class View(NamedTuple):
  """A trained system: numpy in, numpy out, any number of rows."""
  encode: Callable  # x [N, H, W, C] uint8 or float -> mean codes z [N, D]
  decode: Callable  # z [N, D] -> x [N, H, W, C] float, images in [0, 1]
  sample: Callable  # n -> z [n, D] from the prior, the same at each call
  data: data_base.Dataset
  # x [N, H, W, C], S -> log p(x, z) - log q(z | x) at S draws of z each [S, N],
  # the same at each call; None where a system has no such densities.
  log_weights: Callable | None = None
  # x as in encode -> one draw of each code [N, D], the same at each call; the
  # mean where the encoder is deterministic.
  draw: Callable | None = None


class Metric(NamedTuple):
  """A number, and what stands behind it."""
  name: str
  value: float
  samples: int
  split: str = 'test'
  protocol: str = ''  # What the name does not say of how it was computed.


class Picture(NamedTuple):
  """An image to look at."""
  name: str
  image: np.ndarray  # uint8 [H, W] or [H, W, 3]


class Evaluator(NamedTuple):
  """One entry of EVALS."""
  run: Callable  # view, **options -> yields Metric and Picture
  # data set, options: raises UserError before training where a run could not
  # be evaluated
  check: Callable | None = None
  default: bool = False  # runs unless a config says otherwise


def view(system, variables, dataset, key, batch_size=500):
  """The view of `system` with `variables`; `key` is that of the samples."""
  encode, draw_code, decode, sample, log_weight = _compiled(system)
  # One key for all would make the noise of a code that of a sample.
  prior_key, code_key, weight_key = jax.random.split(key, 3)

  def prior(n):
    # Each batch has its own key, so fewer samples are the first of more.
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


def is_image(shape):
  """Whether [H, W, C] can be looked at: grey or RGB, more than one pixel."""
  height, width, channels = shape
  return height * width > 1 and channels in (1, 3)


# A view is made at each evaluation: without the cache each would compile anew.
@functools.lru_cache(maxsize=4)
def _compiled(system):
  """The functions of an system, compiled once for all views."""

  def encode(variables, x):
    return system.encode(variables, data_base.to_float(x))

  def draw(variables, x, key):
    return system.encode(variables, data_base.to_float(x), key)

  def log_weight(variables, x, key, draws):
    # What does not depend on the key, as the code's law, is computed once.
    return jax.vmap(
        lambda k: system.log_weight(variables, data_base.to_float(x), k))(
            jax.random.split(key, draws))

  return (jax.jit(encode), jax.jit(draw), jax.jit(system.decode),
          jax.jit(system.sample, static_argnums=2),
          system.log_weight and jax.jit(log_weight, static_argnums=3))


def _batched(fn, variables, rows, batch_size):
  """fn over all rows in batches of one shape; the padding is cut off."""
  rows = np.asarray(rows)
  out = []
  for start in range(0, max(1, len(rows)), batch_size):
    batch = rows[start:start + batch_size]
    padding = [(0, batch_size - len(batch))] + [(0, 0)] * (rows.ndim - 1)
    out.append(np.asarray(fn(variables, np.pad(batch, padding)))[:len(batch)])
  return np.concatenate(out)


def _weighed(fn, variables, x, samples, key, batch_size):
  """Log-weights [samples, N], `batch_size` draws at once."""
  draws = min(samples, batch_size)
  weigh = lambda batch, at: np.concatenate([
      np.asarray(fn(variables, batch, jax.random.fold_in(at, i), draws))
      for i in range(0, samples, draws)])[:samples]
  keys = (jax.random.fold_in(key, i) for i in itertools.count())
  return _batched(lambda _, batch: weigh(batch, next(keys)).T, variables, x,
                  batch_size // draws).T
