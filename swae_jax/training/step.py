"""One training step, the same for every system."""
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from swae_jax.data import base as data
from swae_jax.systems import base


class State(NamedTuple):
  """All that a run is at a step; a checkpoint is this and nothing else."""
  step: jax.Array  # [] int32: the number of steps done.
  key: jax.Array  # [2] uint32: never changes; a step folds its number in.
  variables: base.Variables
  opt: optax.OptState
  # [2] int32: how many of the steps were skipped, since their loss or gradient
  # was not finite: in all, and in a row up to this step.
  skipped: jax.Array


def init(system, tx, seed, x):
  """The state before the first step.  x [system.examples, H, W, C]."""
  key = jax.random.key(seed)
  variables = system.init(jax.random.fold_in(key, 0), x)
  return State(jnp.zeros((), jnp.int32),
               jax.random.key_data(jax.random.fold_in(key, 1)), variables,
               tx.init(variables.params), jnp.zeros(2, jnp.int32))


def optimizer(players):
  """Each player has its own optimizer.  {name: transformation}."""
  return optax.partition(players, {name: name for name in players})


def watched(loss, grads, stats):
  """What must be finite in a step: (name, array), the loss first."""
  flat, _ = jax.tree_util.tree_flatten_with_path([loss, grads, stats])
  heads = 'the loss', 'the gradient by params', 'stats'
  return [('/'.join([heads[path[0].idx], *(
      jax.tree_util.keystr((key,), simple=True) for key in path[1:])]), x)
          for path, x in flat if jnp.issubdtype(x.dtype, jnp.inexact)]


def draw(key, images, binarize):
  """Images as a system sees them.  [B, ...] uint8 -> [B, ...] float."""
  x = data.to_float(images)
  if not binarize:
    return x
  return jax.random.bernoulli(key, x).astype(x.dtype)


def make(system, tx, everywhere, spread, *, binarize=False):
  """The compiled step: state, images [N, ...], indices [B] -> state, metrics.

  The batch is gathered on the devices and spread over them; the loss is
  written over the whole batch, so it means the same on any number of them.

  Where its loss, its gradient or new statistics are not finite, a step changes
  nothing but the counters.

  Args:
    system: what is minimised.
    tx: an optimizer of `Variables.params`.
    everywhere: sharding of the state, which is donated, and of the metrics.
    spread: sharding of the batch.
    binarize: draws each pixel from a Bernoulli law, afresh at every step.
  """
  @functools.partial(jax.jit, donate_argnums=0, out_shardings=everywhere)
  def step(state, images, indices):
    key = jax.random.fold_in(
        jax.random.wrap_key_data(state.key), state.step)
    x_key, loss_key = jax.random.split(key)
    x = draw(x_key, images[indices], binarize)
    x = jax.lax.with_sharding_constraint(x, spread)

    def loss(params):
      return system.loss(state.variables._replace(params=params), x,
                            loss_key, state.step)

    params = state.variables.params
    grads, (stats, metrics) = jax.grad(loss, has_aux=True)(params)
    finite = jnp.stack([jnp.all(jnp.isfinite(x)) for _, x in watched(
        metrics['loss'], grads, stats)])
    # XLA would join the update to each test: ten times the time to compile.
    grads, stats, finite = jax.lax.optimization_barrier((grads, stats, finite))
    updates, opt = tx.update(grads, state.opt, params)
    variables = base.Variables(optax.apply_updates(params, updates), stats)
    good = jnp.all(finite)
    variables, opt = jax.tree.map(
        lambda new, old: jnp.where(good, new, old),
        (variables, opt), (state.variables, state.opt))
    total, row = state.skipped
    skipped = jnp.where(good, jnp.stack([total, 0]),
                        jnp.stack([total + 1, row + 1]))
    # `bad` is the place in `watched` of the first that is not finite.
    metrics = {**metrics, 'bad': jnp.argmin(finite), 'skipped': skipped}
    return (State(state.step + 1, state.key, variables, opt, skipped),
            metrics)

  return step


def make_valid(system, everywhere, spread):
  """state, images [N, ...], indices [B], i -> the loss of validation batch i.

  It is the loss of training, batch statistics included, or what the system
  gives in its place, with noise that is the same whenever it is asked for.
  """
  @functools.partial(jax.jit, out_shardings=everywhere)
  def valid(state, images, indices, i):
    key = jax.random.fold_in(jax.random.wrap_key_data(state.key), -1 - i)
    x = jax.lax.with_sharding_constraint(
        data.to_float(images[indices]), spread)
    if system.valid is not None:
      return system.valid(state.variables, x, key)
    return system.loss(state.variables, x, key, state.step)[0]

  return valid
