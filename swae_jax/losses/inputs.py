"""Checks and casts of the arrays that a loss receives."""
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


def _text(shapes: dict[str, Any]) -> str:
  return ', '.join(f'{name} {list(s)}' for name, s in shapes.items())
