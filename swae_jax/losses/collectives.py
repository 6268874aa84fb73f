"""Examples that are spread over devices; only this file moves them."""
import jax


def gather(x: jax.Array, axis_name: str | None) -> jax.Array:
  """Joins the examples of all devices along `axis_name`, in device order.

  Args:
    x: [N, ...] the examples of this device.
    axis_name: named axis of `vmap`, `pmap` or `shard_map`; None for no axis.

  Returns:
    [devices * N, ...]; with `axis_name` None, `x` on every device.
  """
  if axis_name is None:
    return replicate(x)
  return jax.lax.all_gather(x, axis_name, tiled=True)


def replicate(x: jax.Array) -> jax.Array:
  """Puts an array whole on each device of a mesh with explicit axes.

  On such a mesh the type of an array says how it is spread, and JAX refuses to
  sort or to compare examples across devices.  Any other array stays as it is.
  """
  sharding = jax.typeof(x).sharding
  if not any(sharding.spec):
    return x
  return jax.sharding.reshard(x, jax.NamedSharding(sharding.mesh, jax.P()))


def spread(x: jax.Array, like: jax.Array) -> jax.Array:
  """Spreads the rows of a whole array as those of another; see `replicate`."""
  sharding = jax.typeof(like).sharding
  if not any(sharding.spec):
    return x
  return jax.sharding.reshard(
      x, jax.NamedSharding(sharding.mesh, jax.P(sharding.spec[0])))
