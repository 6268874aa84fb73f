"""Checks and casts of the arrays that a loss receives."""
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def cast(*arrays: ArrayLike) -> tuple[jax.Array, ...]:
  """Casts arrays to their common type, float32 or wider; shapes stay."""
  kind = jnp.result_type(jnp.float32, *arrays)
  return tuple(jnp.asarray(a, kind) for a in arrays)


def alike(where: str, **arrays: ArrayLike) -> tuple[jax.Array, ...]:
  """Casts arrays [B, ...] of one shape; ValueError if the shapes differ."""
  shapes = {name: jnp.shape(a) for name, a in arrays.items()}
  if len(set(shapes.values())) > 1 or () in shapes.values():
    raise ValueError(
        f'{where}: arrays must have one shape [B, ...], got {_text(shapes)}')
  return cast(*arrays.values())


def vectors(where: str, **arrays: ArrayLike) -> tuple[jax.Array, ...]:
  """Casts arrays [B] of one length; ValueError for any other shapes."""
  shapes = {name: jnp.shape(a) for name, a in arrays.items()}
  if len(set(shapes.values())) > 1 or any(len(s) != 1 for s in shapes.values()):
    raise ValueError(
        f'{where}: arrays must be [B], one value per example, got '
        f'{_text(shapes)}')
  return cast(*arrays.values())


def samples(where: str, **arrays: ArrayLike) -> tuple[jax.Array, ...]:
  """Casts matrices [N, D] that share D; ValueError for any other shapes."""
  shapes = {name: jnp.shape(a) for name, a in arrays.items()}
  if any(len(s) != 2 or 0 in s for s in shapes.values()) or (
      len({s[1] for s in shapes.values()}) > 1):
    raise ValueError(
        f'{where}: arrays must be [rows, D] with one D, got {_text(shapes)}')
  return cast(*arrays.values())


def weight(where: str, name: str, value: ArrayLike, like: jax.Array
           ) -> jax.Array:
  """Casts a weight: one number, or one for each example of `like` [B]."""
  shape = jnp.shape(value)
  if shape not in ((), like.shape):
    raise ValueError(f'{where}: {name} must be a number or '
                     f'{list(like.shape)}, got {list(shape)}')
  return jnp.asarray(value, like.dtype)


def positive(where: str, name: str, value: Any) -> None:
  """Raises ValueError unless a number is above 0; a traced one passes."""
  try:
    fits = bool(value > 0)
  except jax.errors.TracerBoolConversionError:
    return
  if not fits:
    raise ValueError(f'{where}: {name} must be above 0, got {value}')


def weighted(weight: jax.Array, term: jax.Array) -> jax.Array:
  """weight * term, where an infinite term with the weight 0 counts 0."""
  left_out = (weight == 0) & ~jnp.isfinite(term)
  return jnp.where(left_out, 0., weight * jnp.where(left_out, 0., term))


def near_zero(*arrays: jax.Array) -> tuple[jax.Array, ...]:
  """Moves samples [rows, D] to the origin, if they lie far from it.

  Far from the origin, squares of coordinates lose the digits of differences.
  An axis moves by the value of the first row, so that the difference is exact
  for whole numbers; an axis stays where the values are not far from 0 for their
  range.  The move carries no gradient: a distance does not depend on it.
  """
  first = arrays[0][:1]
  low = functools.reduce(jnp.minimum, [a.min(0) for a in arrays])
  high = functools.reduce(jnp.maximum, [a.max(0) for a in arrays])
  centre = jax.lax.stop_gradient(
      jnp.where((high - low)[None] < jnp.abs(first), first, 0.))
  return tuple(a - centre for a in arrays)


def not_negative(value: jax.Array) -> jax.Array:
  """The value, or 0 where rounding made it negative; the gradient stays."""
  return value - jax.lax.stop_gradient(jnp.minimum(value, 0.))


def _text(shapes: dict[str, Any]) -> str:
  return ', '.join(f'{name} {list(s)}' for name, s in shapes.items())
