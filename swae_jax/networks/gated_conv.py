"""The gated convolutional network of the symmetric autoencoder.

Sun and Guo, "Symmetric Wasserstein autoencoders", 2021, appendix A.3, with the
initialisation and the width 300 of the VampPrior's network, on which it builds.
Nothing but the number of channels and the flattened sizes depends on the
images, which may have any size.
"""
from collections.abc import Sequence
import functools
from flax import linen as nn
from swae_jax.networks import base, layers

STACK = ((32, 7, 1), (32, 3, 2), (64, 5, 1), (64, 3, 2), (6, 3, 1))


class Encoder(nn.Module):
  """Five gated convolutions, then a linear layer for each output."""
  widths: Sequence[int]

  @nn.compact
  def __call__(self, x, train=False):
    """x [B, H, W, C] -> tuple of [B, width]."""
    del train  # It does the same in training.
    for features, size, stride in STACK:
      x = layers.GatedConv(features, size, stride)(x)
    x = layers.flatten(x)  # 6 ceil(H / 4) ceil(W / 4) numbers.
    return tuple(layers.linear(x, width) for width in self.widths)


class Decoder(nn.Module):
  """Two gated dense layers, then convolutions at the full resolution."""
  channels: Sequence[int]
  shape: Sequence[int]
  hidden: int

  @nn.compact
  def __call__(self, z, train=False):
    """z [B, D] -> tuple of [B, H, W, c]."""
    del train
    height, width, depth = self.shape
    x = layers.GatedDense(self.hidden)(z)
    x = layers.GatedDense(height * width * depth)(x)
    x = x.reshape(-1, height, width, depth)
    for _ in range(4):
      x = layers.GatedConv(64, 3)(x)
    head = functools.partial(
        layers.conv, size=1, use_bias=False, kernel_init=layers.FAN_IN_UNIFORM)
    return tuple(head(c)(x) for c in self.channels)


def make(shape, *, hidden=300):
  """Network for images of `shape`; `hidden` is the decoder's first width."""
  return base.Network(
      encoder=lambda *widths: Encoder(widths),
      decoder=lambda *channels: Decoder(channels, tuple(shape), hidden))
