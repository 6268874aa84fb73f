"""Gated perceptrons, for vectors held as images of shape [1, 1, d]."""
from collections.abc import Sequence
import math
from flax import linen as nn
from swae_jax.networks import base, layers


class MLP(nn.Module):
  """Two gated layers, then a linear layer for each output."""
  shapes: Sequence[Sequence[int]]
  hidden: int

  @nn.compact
  def __call__(self, x, train=False):
    """x [B, ...] -> tuple of [B, *shape]."""
    del train  # It does the same in training.
    x = layers.flatten(x)
    for _ in range(2):
      x = layers.GatedDense(self.hidden)(x)
    return tuple(layers.linear(x, math.prod(shape)).reshape(-1, *shape)
                 for shape in self.shapes)


def make(shape, *, hidden=300):
  """Network for images of `shape`; `hidden` is the width of every layer."""
  return base.Network(
      encoder=lambda *widths: MLP(tuple((w,) for w in widths), hidden),
      decoder=lambda *channels: MLP(
          tuple((*shape[:2], c) for c in channels), hidden))
