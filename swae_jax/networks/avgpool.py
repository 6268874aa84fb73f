"""The pooling network of the sliced Wasserstein autoencoder.

Kolouri et al., "Sliced-Wasserstein autoencoder", 2018, appendix, with the
initialisation of Keras.  The paper has images of 28 x 28 only, which three
poolings take to 4 x 4; the decoder doubles 4 to 8 to 16, and its one
convolution without padding makes that 14.  Here a side n starts from
ceil(n / 8), and is cut so where 8 does not divide it: every multiple of 4 comes
back exactly.
"""
from collections.abc import Sequence
import functools

from flax import linen as nn

from swae_jax import errors, options
from swae_jax.networks import base, layers

dense = functools.partial(
    nn.Dense, kernel_init=nn.initializers.glorot_uniform())
conv = functools.partial(
    layers.conv, size=3, kernel_init=nn.initializers.glorot_uniform())
activation = functools.partial(nn.leaky_relu, negative_slope=.2)


class Encoder(nn.Module):
  """Three times two convolutions and a pooling, then two dense layers."""
  widths: Sequence[int]
  depth: int
  hidden: int

  @nn.compact
  def __call__(self, x, train=False):
    """x [B, H, W, C] -> tuple of [B, width]."""
    del train  # It does the same in training.
    for scale in (1, 2, 4):
      for _ in range(2):
        x = activation(conv(self.depth * scale)(x))
      # Keras divides by the number of pixels, without those of the padding.
      x = nn.avg_pool(x, (2, 2), (2, 2), 'SAME', count_include_pad=False)
    x = nn.relu(dense(self.hidden)(layers.flatten(x)))
    return tuple(dense(width)(x) for width in self.widths)


class Decoder(nn.Module):
  """Two dense layers, then three times a doubling and two convolutions."""
  channels: Sequence[int]
  size: Sequence[int]
  depth: int
  hidden: int

  @nn.compact
  def __call__(self, z, train=False):
    """z [B, D] -> tuple of [B, H, W, c]."""
    del train
    height, width = (-(-n // 8) for n in self.size)
    cut = tuple((0, 0) if n % 8 else (1, 1) for n in self.size)
    x = dense(self.hidden)(z)  # The paper has no activation here.
    x = nn.relu(dense(height * width * 4 * self.depth)(x))
    x = x.reshape(-1, height, width, 4 * self.depth)
    for scale, padding in ((4, 'SAME'), (4, cut), (2, 'SAME')):
      x = activation(
          conv(self.depth * scale, padding=padding, upsampling=2)(x))
      x = activation(conv(self.depth * scale)(x))
    return tuple(conv(c)(x) for c in self.channels)


def make(shape: Sequence[int], *, channels: options.Count = 16,
         hidden: options.Count = 128) -> base.Network:
  """Convolutions and average pooling for images of `shape`.

  Args:
    shape: [H, W, C] of an image; H and W must be multiples of 4.
    channels: of the first convolutions.
    hidden: units of the dense layer on either side of the code.
  """
  height, width = shape[:2]
  for n in (height, width):
    if n < 4 or n % 4:
      near = ' or '.join(str(m) for m in (n // 4 * 4, n // 4 * 4 + 4) if m)
      raise errors.UserError(
          f'network avgpool: images of {height}x{width}: a side must be a '
          f'multiple of 4, so {near} for {n}; resize, or take another network')
  return base.Network(
      encoder=lambda *widths: Encoder(widths, channels, hidden),
      decoder=lambda *outputs: Decoder(
          outputs, (height, width), channels, hidden))
