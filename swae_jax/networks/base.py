"""The parts that every family of networks provides."""
from collections.abc import Callable
from typing import NamedTuple

from flax import linen as nn


class Hierarchy(NamedTuple):
  """Makers of the modules for two levels of codes, z2 and then z1 given z2.

  Attributes:
    encoder: *widths -> module that maps x [B, H, W, C] and z2 [B, D] to a
      tuple of [B, width].
    conditional: *widths -> module that maps z2 [B, D] to a tuple of
      [B, width].
    decoder: *channels -> module that maps z1 [B, D] and z2 [B, D] to a tuple
      of [B, H, W, channels].
  """
  encoder: Callable[..., nn.Module]
  conditional: Callable[..., nn.Module]
  decoder: Callable[..., nn.Module]


class Network(NamedTuple):
  """Makers of Flax modules.

  A system calls a maker with one width for each output it needs: one for an
  encoder without noise, two for a mean and a log-variance.  A family does not
  know which system it serves.

  Every module takes the keyword `train=False`.  No output ends in an
  activation; the system applies one where its loss needs it.

  Attributes:
    encoder: *widths -> module that maps x [B, H, W, C] to a tuple of
      [B, width].
    decoder: *channels -> module that maps z [B, D] to a tuple of
      [B, H, W, channels].
    hierarchy: makers of the modules for two levels of codes; None if the family
      has one level only.
  """
  encoder: Callable[..., nn.Module]
  decoder: Callable[..., nn.Module]
  hierarchy: Hierarchy | None = None
