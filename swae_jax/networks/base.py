"""What every family of networks provides."""
from collections.abc import Callable
from typing import NamedTuple


class Hierarchy(NamedTuple):
  """Makers of the modules that two levels of codes need, z1 below z2."""
  encoder: Callable  # *widths -> module: x, z2 [B, D] -> tuple of [B, width]
  conditional: Callable  # *widths -> module: z2 [B, D] -> tuple of [B, width]
  decoder: Callable  # *channels -> module: z1, z2 -> tuple of [B, H, W, c]


class Network(NamedTuple):
  """Makers of Flax modules, so that a system can have several of each.

  A system may need an encoder with one head, with a mean and a log-variance,
  a second copy for a conditional prior, or a decoder with two outputs; it says
  so by the widths, and no family knows which system it serves.
  """
  encoder: Callable  # *widths -> module: x [B, H, W, C] -> tuple of [B, width]
  decoder: Callable  # *channels -> module: z [B, D] -> tuple of [B, H, W, c]
  hierarchy: Hierarchy | None = None  # None: codes of one level only.
  # All modules take the keyword `train=False`.  None ends in an activation:
  # what an output means is the system's to say.
