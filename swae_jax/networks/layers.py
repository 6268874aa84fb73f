"""Layers that several families share."""
from collections.abc import Sequence
import math

from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax.networks import convolution

# Not `he_normal`, which is truncated.
HE_NORMAL = nn.initializers.variance_scaling(2., 'fan_in', 'normal')
# U(-b, b), b = 1 / sqrt(fan_in).
FAN_IN_UNIFORM = nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')


def fan_in_uniform_bias(fan_in):
  """FAN_IN_UNIFORM for a bias, whose shape does not tell the fan-in."""
  def init(key, shape, dtype=float):
    bound = fan_in ** -.5
    return jax.random.uniform(key, shape, dtype, -bound, bound)
  return init


def conv(features, size, *, stride=1, padding='SAME', upsampling=1, **options):
  """Every convolution of the package.  [B, H, W, C] -> [B, H', W', features].

  With `upsampling`, of the map in which each pixel is repeated so often along
  either axis.

  `padding` is 'SAME', 'VALID', pixels on each side, or ((top, bottom),
  (left, right)).  'SAME' with stride 2 pads an even size on one side only, as
  TensorFlow does and PyTorch does not.
  """
  return nn.Conv(
      features, (size, size), stride, padding,
      conv_general_dilated=convolution.for_flax(upsampling), **options)


class ConvTranspose(nn.Module):
  """The transpose of a 'SAME' convolution, with the parameters Flax gives it.

  The kernel is not turned, as in `flax.linen.ConvTranspose`.
  """
  features: int
  size: int
  stride: int = 1
  use_bias: bool = True
  kernel_init: nn.initializers.Initializer = FAN_IN_UNIFORM

  @nn.compact
  def __call__(self, x):
    """x [B, H, W, C] -> [B, stride H, stride W, features]."""
    shape = (self.size, self.size, x.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape)
    padding = (convolution.same_transposed(self.size, self.stride),) * 2
    x, kernel = nn.dtypes.promote_dtype(x, kernel)
    y = convolution.conv_transpose(x, kernel, (self.stride,) * 2, padding)
    if not self.use_bias:
      return y
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    return y + bias.astype(y.dtype)[None, None, None]


def linear(x, features, name=None):
  """Dense layer as the gated networks start it.  [B, n] -> [B, features]."""
  return nn.Dense(features, kernel_init=HE_NORMAL, name=name,
                  bias_init=fan_in_uniform_bias(x.shape[-1]))(x)


def flatten(x):
  """[B, ...] -> [B, n]."""
  return x.reshape(x.shape[0], -1)


class GatedDense(nn.Module):
  """h(x) * sigmoid(g(x)), h and g affine.

  The two have parameters of their own, here and in `GatedConv`: an optimizer
  that scales each tensor by its norm would see a merged one differently.
  """
  features: int

  @nn.compact
  def __call__(self, x):
    """x [B, n] -> [B, features]."""
    h = linear(x, self.features, 'h')
    return h * nn.sigmoid(linear(x, self.features, 'g'))


class GatedConv(nn.Module):
  """h(x) * sigmoid(g(x)), h and g convolutions, padded alike on all sides.

  One convolution computes both: what they see is the same.
  """
  features: int
  size: int
  stride: int = 1

  @nn.compact
  def __call__(self, x):
    """x [B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), features]."""
    shape = (self.size, self.size, x.shape[-1], self.features)
    kernels, biases = zip(
        *(Affine(shape, name=name)() for name in 'hg'), strict=True)
    x, *parameters = nn.dtypes.promote_dtype(x, *kernels, *biases)
    kernel = jnp.concatenate(parameters[:2], -1)
    bias = jnp.concatenate(parameters[2:])
    y = convolution.conv(x, kernel, (self.stride,) * 2,
                         ((self.size // 2,) * 2,) * 2)
    h, g = jnp.split(y + bias[None, None, None], 2, axis=-1)
    return h * nn.sigmoid(g)


class Affine(nn.Module):
  """The parameters of a convolution: kernel, bias."""
  shape: Sequence[int]

  @nn.compact
  def __call__(self):
    """Of shapes `shape` and [features]."""
    return (self.param('kernel', FAN_IN_UNIFORM, self.shape),
            self.param('bias', fan_in_uniform_bias(math.prod(self.shape[:-1])),
                       self.shape[-1:]))
