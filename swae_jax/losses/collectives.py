"""Collective operations over devices; only this file of the losses has any."""
import jax


def gather(x: jax.Array, axis_name: str | None) -> jax.Array:
  """Joins the examples of all devices along `axis_name`, in device order.

  Args:
    x: [N, ...] the examples of this device.
    axis_name: named axis of `vmap`, `pmap` or `shard_map`; None for no axis.

  Returns:
    [devices * N, ...]; `x` itself if `axis_name` is None.
  """
  if axis_name is None:
    return x
  return jax.lax.all_gather(x, axis_name, tiled=True)
