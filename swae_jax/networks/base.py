"""What every family of networks provides."""
from collections.abc import Callable
from typing import NamedTuple


class Network(NamedTuple):
  """Makers of Flax modules, so that a system can have several of each.

  A system may need an encoder with one head, with a mean and a log-variance,
  a second copy for a conditional prior, or a decoder with two outputs; it says
  so by the widths, and no family knows which system it serves.
  """
  encoder: Callable  # *widths -> module: x [B, H, W, C] -> tuple of [B, width]
  decoder: Callable  # *channels -> module: z [B, D] -> tuple of [B, H, W, c]
  # Both modules take the keyword `train=False`.  Neither ends in an
  # activation: what an output means is the system's to say.
