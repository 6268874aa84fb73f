"""One training step, the same for every system."""
from collections.abc import Callable, Mapping, Sequence
import functools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from swae_jax.data import base as data
from swae_jax.systems import base


class State(NamedTuple):
  """The whole state of a run at a step; a checkpoint holds nothing else."""
  step: jax.Array  # [] int32: the number of steps done
  key: jax.Array  # [2] uint32: base key; step t uses fold_in(key, t)
  variables: base.Variables
  opt: optax.OptState
  # [2] int32: steps skipped because their loss or gradient was not finite, in
  # all and in a row up to this step
  skipped: jax.Array


def key(seed: int) -> jax.Array:
  """The key of a seed below 2^64; below 2^32 it is jax.random.key(seed)."""
  low, high = seed & 0xffffffff, seed >> 32
  found = jax.random.key(np.uint32(low))
  return jax.random.fold_in(found, np.uint32(high)) if high else found


def init(system: base.System, tx: optax.GradientTransformation,
         key: jax.Array, x: jax.Array) -> State:
  """The state before the first step.  x [system.examples, H, W, C]."""
  variables = system.init(jax.random.fold_in(key, 0), x)
  return State(jnp.zeros((), jnp.int32),
               jax.random.key_data(jax.random.fold_in(key, 1)), variables,
               tx.init(variables.params), jnp.zeros(2, jnp.int32))


# Start-up asks several times, and each trace of an init can take a second.
@functools.lru_cache(maxsize=8)
def variable_shapes(system: base.System, shape: Sequence[int]
                    ) -> base.Variables:
  """The variables of a system for images of `shape`, as shapes alone."""
  x = jax.ShapeDtypeStruct((system.examples, *shape), jnp.float32)
  return jax.eval_shape(system.init, jax.random.key(0), x)


def state_shapes(system: base.System, tx: optax.GradientTransformation,
                 shape: Sequence[int]) -> State:
  """The state of a run for images of `shape`, as shapes alone."""
  variables = variable_shapes(system, tuple(shape))
  new = lambda *shape, dtype=jnp.int32: jax.ShapeDtypeStruct(shape, dtype)
  return State(new(), new(2, dtype=jnp.uint32), variables,
               jax.eval_shape(tx.init, variables.params), new(2))


def optimizer(players: Mapping[Any, optax.GradientTransformation]
              ) -> optax.GradientTransformation:
  """One transformation for all players.  {player: transformation}."""
  return optax.partition(players, {name: name for name in players})


def finite_checks(loss: Any, grads: Any,
                  stats: Any) -> list[tuple[str, jax.Array]]:
  """Names and arrays that must be finite in a step, the loss first."""
  flat, _ = jax.tree_util.tree_flatten_with_path([loss, grads, stats])
  heads = 'the loss', 'the gradient by params', 'stats'
  return [('/'.join([heads[path[0].idx], *(
      jax.tree_util.keystr((key,), simple=True) for key in path[1:])]), x)
          for path, x in flat if jnp.issubdtype(x.dtype, jnp.inexact)]


def draw(key: jax.Array, images: jax.Array, binarize: bool) -> jax.Array:
  """Images as a system sees them.  [B, ...] uint8 -> [B, ...] float."""
  x = data.to_float(images)
  if not binarize:
    return x
  return jax.random.bernoulli(key, x).astype(x.dtype)


def make(system: base.System, tx: optax.GradientTransformation,
         everywhere: jax.sharding.Sharding, spread: jax.sharding.Sharding, *,
         binarize: bool = False) -> Callable:
  """The compiled step: state, images [N, ...], indices [B] -> state, metrics.

  The step gathers the batch on the devices and spreads it over them.  The loss
  is written for the whole batch, so its meaning does not depend on the number
  of devices.

  A step whose loss, gradient or new statistics are not finite changes nothing
  but the counters.

  Args:
    system: the step minimises the loss of the system.
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
    chex.assert_rank([images, indices], [4, 1])
    x = draw(x_key, images[indices], binarize)
    x = jax.lax.with_sharding_constraint(x, spread)

    def loss(params):
      value, (stats, metrics) = system.loss(
          state.variables._replace(params=params), x, loss_key, state.step)
      chex.assert_rank(value, 0)
      chex.assert_trees_all_equal_shapes_and_dtypes(
          stats, state.variables.stats)
      return value, (stats, metrics)

    params = state.variables.params
    grads, (stats, metrics) = jax.grad(loss, has_aux=True)(params)
    finite = jnp.stack([jnp.all(jnp.isfinite(x)) for _, x in finite_checks(
        metrics['loss'], grads, stats)])
    # Without the barrier XLA joins the update to each test, and compiling takes
    # ten times as long.
    grads, stats, finite = jax.lax.optimization_barrier((grads, stats, finite))
    updates, opt = tx.update(grads, state.opt, params)
    variables = base.Variables(optax.apply_updates(params, updates), stats)
    good = jnp.all(finite)
    variables, opt = jax.tree.map(
        lambda new, old: jnp.where(good, new, old),
        (variables, opt), (state.variables, state.opt))
    total, in_a_row = state.skipped
    skipped = jnp.where(good, jnp.stack([total, 0]),
                        jnp.stack([total + 1, in_a_row + 1]))
    # `first_bad` is the place in `finite_checks` of the first bad array.
    metrics = {**metrics, 'first_bad': jnp.argmin(finite), 'skipped': skipped}
    return (State(state.step + 1, state.key, variables, opt, skipped),
            metrics)

  return step


def compiled(function: Any, *args: Any) -> Callable:
  """A jitted function, compiled now for arguments of these shapes.

  Under JAX_DISABLE_JIT, by which people look for mistakes, the function itself.
  """
  if jax.config.jax_disable_jit:
    return function
  return function.lower(*args).compile()


def make_valid(system: base.System, everywhere: jax.sharding.Sharding,
               spread: jax.sharding.Sharding) -> Callable:
  """state, images [N, ...], indices [B], i -> the loss of validation batch i.

  The loss is System.valid, or the training loss with batch statistics if the
  system has no `valid`.  The noise of batch i is the same at each call.
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
