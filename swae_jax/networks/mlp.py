"""Perceptrons for images and for vectors; a vector has the shape [1, 1, d]."""
from collections.abc import Sequence
import functools
import math

from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax import options
from swae_jax.networks import base, layers


class MLP(nn.Module):
  """Hidden layers, then a linear layer for each output.

  Each input has a first layer of its own; the next layer joins them.

  Attributes:
    shapes: shape of each output, without the batch axis.
    hidden: units of each hidden layer.
    depth: number of hidden layers.
    gated: True for gated hidden layers, False for hidden layers with a ReLU.
  """
  shapes: Sequence[Sequence[int]]
  hidden: int
  depth: int = 2
  gated: bool = True

  @nn.compact
  def __call__(self, *inputs: jax.Array, train: bool = False
               ) -> tuple[jax.Array, ...]:
    """Arrays [B, ...] -> tuple of [B, *shape]."""
    del train  # This network has no mode for training.
    x = jnp.concatenate(
        [self.layer(layers.flatten(x)) for x in inputs], axis=1)
    for _ in range(self.depth - 1):
      x = self.layer(x)
    return tuple(layers.linear(x, math.prod(shape)).reshape(-1, *shape)
                 for shape in self.shapes)

  def layer(self, x: jax.Array) -> jax.Array:
    """A hidden layer.  x [B, n] -> [B, hidden]."""
    if self.gated:
      return layers.GatedDense(self.hidden)(x)
    return nn.relu(layers.linear(x, self.hidden))


def make(shape: Sequence[int], *, hidden: options.Count = 300,
         depth: options.Depth = 2, gated: bool = True) -> base.Network:
  """Perceptrons for images or vectors of any size.

  Args:
    shape: [H, W, C] of an example; [1, 1, d] for vectors.
    hidden: units of each hidden layer.
    depth: number of hidden layers.
    gated: True for gated hidden layers, False for hidden layers with a ReLU.

  Returns:
    The makers of the modules, for one and for two levels of codes.
  """
  mlp = functools.partial(MLP, hidden=hidden, depth=depth, gated=gated)
  encoder = lambda *widths: mlp(tuple((w,) for w in widths))
  decoder = lambda *channels: mlp(tuple((*shape[:2], c) for c in channels))
  return base.Network(
      encoder, decoder, base.Hierarchy(encoder, encoder, decoder))
