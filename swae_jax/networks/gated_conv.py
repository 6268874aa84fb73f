"""The gated convolutional network of the symmetric autoencoder.

Sun and Guo, "Symmetric Wasserstein autoencoders", 2021, appendix A.3.  Their
network builds on the network of Tomczak and Welling, "VAE with a VampPrior",
2018; this file takes its initialisation and its width of 300.  Images may have
any size.

The modules for two levels of codes are those of convHVAE (L = 2) in the
released code of Tomczak and Welling 2018.
"""
from collections.abc import Sequence
import functools

from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax import options
from swae_jax.networks import base, layers, mlp

# Features, side of the kernel and stride of each convolution.
STACK = ((32, 7, 1), (32, 3, 2), (64, 5, 1), (64, 3, 2), (6, 3, 1))
JOINT_STACK = ((32, 3, 1), (32, 3, 2), (64, 3, 1), (64, 3, 2), (6, 3, 1))


class Encoder(nn.Module):
  """Five gated convolutions, then a linear layer for each output.

  Attributes:
    widths: width of each output.
  """
  widths: Sequence[int]

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False
               ) -> tuple[jax.Array, ...]:
    """x [B, H, W, C] -> tuple of [B, width]."""
    del train  # This encoder has no mode for training.
    for features, size, stride in STACK:
      x = layers.GatedConv(features, size, stride)(x)
    x = layers.flatten(x)  # 6 ceil(H / 4) ceil(W / 4) numbers.
    return tuple(layers.linear(x, width) for width in self.widths)


class JointEncoder(nn.Module):
  """Five gated convolutions of x and a gated layer of z.

  A gated layer joins x and z; a linear layer follows for each output.

  Attributes:
    widths: width of each output.
    hidden: units of the gated layer that joins x and z.
  """
  widths: Sequence[int]
  hidden: int

  @nn.compact
  def __call__(self, x: jax.Array, z: jax.Array, train: bool = False
               ) -> tuple[jax.Array, ...]:
    """x [B, H, W, C], z [B, D] -> tuple of [B, width]."""
    del train
    for features, size, stride in JOINT_STACK:
      x = layers.GatedConv(features, size, stride)(x)
    x = layers.flatten(x)
    z = layers.GatedDense(x.shape[-1])(z)
    x = layers.GatedDense(self.hidden)(jnp.concatenate([x, z], axis=1))
    return tuple(layers.linear(x, width) for width in self.widths)


class Decoder(nn.Module):
  """Two gated dense layers, then convolutions at the full resolution.

  Attributes:
    channels: number of channels of each output.
    shape: [H, W, C] of an image.
    hidden: units of the first dense layer; each level of codes has its own
      first layer.
  """
  channels: Sequence[int]
  shape: Sequence[int]
  hidden: int

  @nn.compact
  def __call__(self, *codes: jax.Array, train: bool = False
               ) -> tuple[jax.Array, ...]:
    """Codes [B, D] of one or more levels -> tuple of [B, H, W, c]."""
    del train
    height, width, depth = self.shape
    x = jnp.concatenate(
        [layers.GatedDense(self.hidden)(z) for z in codes], axis=1)
    x = layers.GatedDense(height * width * depth)(x)
    x = x.reshape(-1, height, width, depth)
    for _ in range(4):
      x = layers.GatedConv(64, 3)(x)
    head = functools.partial(
        layers.conv, size=1, use_bias=False, kernel_init=layers.FAN_IN_UNIFORM)
    return tuple(head(c)(x) for c in self.channels)


def make(shape: Sequence[int], *,
         hidden: options.Count = 300) -> base.Network:
  """Gated convolutions for images of any size.

  Args:
    shape: [H, W, C] of an image.
    hidden: units of the dense layers.

  Returns:
    The makers of the modules, for one and for two levels of codes.
  """
  decoder = lambda *channels: Decoder(channels, tuple(shape), hidden)
  return base.Network(
      encoder=lambda *widths: Encoder(widths), decoder=decoder,
      hierarchy=base.Hierarchy(
          encoder=lambda *widths: JointEncoder(widths, hidden),
          conditional=lambda *widths: mlp.MLP(
              tuple((w,) for w in widths), hidden),
          decoder=decoder))
