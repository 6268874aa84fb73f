"""The convolutional network of Wasserstein autoencoders.

Tolstikhin et al., "Wasserstein auto-encoders", 2018, section 4 and appendix E,
"similar to the DCGAN".  Widths, batch normalisation and initialisation are
those of the released code.  The decoder starts from 7 x 7 or 8 x 8 pixels and
ends with a transposed convolution of stride 1.  The paper has no images of
32 x 32; for such images the encoder stays the same, and the decoder doubles
8 x 8 twice.
"""
from collections.abc import Sequence
import functools
from typing import Annotated

from flax import linen as nn
import jax

from swae_jax import errors, options
from swae_jax.networks import base, layers

NORMAL = nn.initializers.normal(.0099999)
TRUNCATED = nn.initializers.truncated_normal(.0099999)
# {side of the images: (side of the kernels, first side of the decoder, number
# of doublings)}.
SIZES = {28: (4, 7, 2), 32: (4, 8, 2), 64: (5, 8, 3)}

dense = functools.partial(nn.Dense, kernel_init=NORMAL)


def normalized(x: jax.Array, train: bool) -> jax.Array:
  """Batch normalisation and ReLU.  [B, ..., n] -> [B, ..., n].

  In training the moments are those of the whole batch, even if several devices
  share the batch.  The layer before must have no bias: the gradient of a bias
  would consist of rounding errors, and Adam would follow these errors.
  """
  return nn.relu(nn.BatchNorm(
      use_running_average=not train, momentum=.9, epsilon=1e-5)(x))


class Encoder(nn.Module):
  """Four convolutions that halve the sides, then a layer for each output.

  Attributes:
    widths: width of each output.
    size: side of the kernels.
    filters: channels of the last convolution.
  """
  widths: Sequence[int]
  size: int
  filters: int

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False
               ) -> tuple[jax.Array, ...]:
    """x [B, H, W, C] -> tuple of [B, width]."""
    for part in (8, 4, 2, 1):
      # TensorFlow's 'SAME', as in the released code.
      x = normalized(layers.conv(
          self.filters // part, self.size, stride=2, use_bias=False,
          kernel_init=TRUNCATED)(x), train)
    x = layers.flatten(x)
    return tuple(dense(width)(x) for width in self.widths)


class Decoder(nn.Module):
  """A dense layer, then transposed convolutions; the last keeps the sides.

  Attributes:
    channels: number of channels of each output.
    size: side of the kernels.
    start: side of the first map.
    doublings: number of convolutions that double the sides.
    filters: channels of the first map.
  """
  channels: Sequence[int]
  size: int
  start: int
  doublings: int
  filters: int

  @nn.compact
  def __call__(self, z: jax.Array, train: bool = False
               ) -> tuple[jax.Array, ...]:
    """z [B, D] -> tuple of [B, H, W, c]."""
    conv = functools.partial(
        layers.ConvTranspose, size=self.size, kernel_init=NORMAL)
    x = nn.relu(dense(self.start ** 2 * self.filters)(z))
    x = x.reshape(-1, self.start, self.start, self.filters)
    for i in range(self.doublings):
      x = normalized(
          conv(self.filters // 2 ** (i + 1), stride=2, use_bias=False)(x),
          train)
    return tuple(conv(c)(x) for c in self.channels)


def make(shape: Sequence[int], *,
         filters: Annotated[int, options.Range(8, multiple=8)] = 1024
         ) -> base.Network:
  """Strided convolutions for images of 28, 32 or 64 pixels squared.

  Args:
    shape: [H, W, C] of an image.
    filters: the greatest number of channels.

  Returns:
    The makers of the encoder and the decoder, for one level of codes.

  Raises:
    errors.UserError: the images have another size.
  """
  height, width = shape[:2]
  if height != width or height not in SIZES:
    raise errors.UserError(
        f'network dcgan: images of {height}x{width}: the network takes '
        f'{", ".join(f"{n}x{n}" for n in SIZES)}; resize the images, or choose '
        'another --config.network.name')
  size, start, doublings = SIZES[height]
  return base.Network(
      encoder=lambda *widths: Encoder(widths, size, filters),
      decoder=lambda *channels: Decoder(
          channels, size, start, doublings, filters))
