"""The pooling network of the sliced Wasserstein autoencoder.

Kolouri et al., "Sliced-Wasserstein autoencoder", 2018, appendix, with the
initialisation of Keras.  The paper has images of 28 x 28 only: three poolings
reduce the images to 4 x 4, and the decoder doubles 4 to 8 to 16, cuts 16 to 14
by its one convolution without padding, and doubles 14 to 28.  Here the encoder
reduces a side of n pixels to ceil(n / 8).  The decoder cuts a side only if 8
does not divide n, so the output has n pixels for every multiple n of 4.
"""
from collections.abc import Callable, Sequence
import functools

from flax import linen as nn
import jax

from swae_jax import errors, options
from swae_jax.networks import base, layers

dense = functools.partial(
    nn.Dense, kernel_init=nn.initializers.glorot_uniform())
conv: Callable[..., nn.Conv] = functools.partial(
    layers.conv, size=3, kernel_init=nn.initializers.glorot_uniform())
activation = functools.partial(nn.leaky_relu, negative_slope=.2)


class Encoder(nn.Module):
  """Two convolutions and a pooling, three times; then two dense layers.

  Attributes:
    widths: width of each output.
    channels: number of channels of the first convolutions.
    hidden: units of the first dense layer.
  """
  widths: Sequence[int]
  channels: int
  hidden: int

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False
               ) -> tuple[jax.Array, ...]:
    """x [B, H, W, C] -> tuple of [B, width]."""
    del train  # This encoder has no mode for training.
    for scale in (1, 2, 4):
      for _ in range(2):
        x = activation(conv(self.channels * scale)(x))
      # Keras averages over the pixels of the image without the padding.
      x = nn.avg_pool(x, (2, 2), (2, 2), 'SAME', count_include_pad=False)
    x = nn.relu(dense(self.hidden)(layers.flatten(x)))
    return tuple(dense(width)(x) for width in self.widths)


class Decoder(nn.Module):
  """Two dense layers; then a doubling and two convolutions, three times.

  Attributes:
    outputs: number of channels of each output.
    size: height and width of the outputs.
    channels: half the channels of the last convolutions before the outputs.
    hidden: units of the first dense layer.
  """
  outputs: Sequence[int]
  size: Sequence[int]
  channels: int
  hidden: int

  @nn.compact
  def __call__(self, z: jax.Array, train: bool = False
               ) -> tuple[jax.Array, ...]:
    """z [B, D] -> tuple of [B, H, W, c]."""
    del train
    height, width = (-(-n // 8) for n in self.size)
    cut = tuple((0, 0) if n % 8 else (1, 1) for n in self.size)
    x = dense(self.hidden)(z)  # The paper has no activation here.
    x = nn.relu(dense(height * width * 4 * self.channels)(x))
    x = x.reshape(-1, height, width, 4 * self.channels)
    for scale, padding in ((4, 'SAME'), (4, cut), (2, 'SAME')):
      x = activation(
          conv(self.channels * scale, padding=padding, upsampling=2)(x))
      x = activation(conv(self.channels * scale)(x))
    return tuple(conv(c)(x) for c in self.outputs)


def make(shape: Sequence[int], *, channels: options.Count = 16,
         hidden: options.Count = 128) -> base.Network:
  """Convolutions and average pooling.

  Args:
    shape: [H, W, C] of an image; H and W must be multiples of 4.
    channels: channels of the first convolutions; the deepest convolutions have
      four times as many.
    hidden: units of the dense layer next to the code, in the encoder and in the
      decoder.

  Returns:
    The makers of the encoder and the decoder, for one level of codes.

  Raises:
    errors.UserError: a side is not a multiple of 4.
  """
  height, width = shape[:2]
  for n in (height, width):
    if n < 4 or n % 4:
      near = ' or '.join(str(m) for m in (n // 4 * 4, n // 4 * 4 + 4) if m)
      raise errors.UserError(
          f'network avgpool: images of {height}x{width}: a side must be a '
          f'multiple of 4, such as {near} instead of {n}; resize the images, '
          'or choose another --config.network.name')
  return base.Network(
      encoder=lambda *widths: Encoder(widths, channels, hidden),
      decoder=lambda *outputs: Decoder(
          outputs, (height, width), channels, hidden))
