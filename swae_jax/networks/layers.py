"""Layers that several families of networks share."""
from collections.abc import Callable, Sequence
import math
from typing import Any

from flax import linen as nn
from flax.linen import dtypes
import jax
import jax.numpy as jnp

from swae_jax.networks import convolution

# Flax's own `he_normal` is truncated.
HE_NORMAL = nn.initializers.variance_scaling(2., 'fan_in', 'normal')
# U(-b, b), b = 1 / sqrt(fan_in).
FAN_IN_UNIFORM = nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')


def fan_in_uniform_bias(fan_in: int) -> Callable[..., jax.Array]:
  """Returns an initialiser of a bias [n] by U(-b, b), b = 1 / sqrt(fan_in).

  FAN_IN_UNIFORM cannot initialise a bias, whose shape lacks the fan-in.
  """
  def init(key, shape, dtype=float):
    bound = fan_in ** -.5
    return jax.random.uniform(key, shape, dtype, -bound, bound)
  return init


def conv(features: int, size: int, *, stride: int = 1, padding: Any = 'SAME',
         upsampling: int = 1, **options: Any) -> nn.Conv:
  """A convolutional layer.  [B, H, W, C] -> [B, H', W', features].

  Args:
    features: number of channels of the output.
    size: side of the kernel.
    stride: stride along both axes.
    padding: 'SAME', 'VALID', the number of pixels on each side, or ((top,
      bottom), (left, right)).  'SAME' with stride 2 pads an even size on one
      side only, like TensorFlow and unlike PyTorch.
    upsampling: the layer first repeats each pixel this number of times along
      both axes.
    **options: other arguments of flax.linen.Conv.
  """
  return nn.Conv(
      features, (size, size), stride, padding,
      conv_general_dilated=convolution.for_flax(upsampling), **options)


class ConvTranspose(nn.Module):
  """The transpose of a 'SAME' convolution.

  Parameters and result equal those of `flax.linen.ConvTranspose`; neither layer
  flips the kernel.

  Attributes:
    features: number of channels of the output.
    size: side of the kernel.
    stride: factor between the sides of the input and of the output.
    use_bias: whether the layer adds a bias.
    kernel_init: initial values of the kernel.
  """
  features: int
  size: int
  stride: int = 1
  use_bias: bool = True
  kernel_init: nn.initializers.Initializer = FAN_IN_UNIFORM

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """x [B, H, W, C] -> [B, stride H, stride W, features]."""
    shape = (self.size, self.size, x.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape)
    padding = (convolution.same_transposed(self.size, self.stride),) * 2
    x, kernel = dtypes.promote_dtype(x, kernel)
    y = convolution.conv_transpose(x, kernel, (self.stride,) * 2, padding)
    if not self.use_bias:
      return y
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    return y + bias.astype(y.dtype)[None, None, None]


def linear(x: jax.Array, features: int, name: str | None = None) -> jax.Array:
  """Dense layer with the initial values of the gated networks.

  [B, n] -> [B, features].  Call this function inside a compact module.
  """
  return nn.Dense(features, kernel_init=HE_NORMAL, name=name,
                  bias_init=fan_in_uniform_bias(x.shape[-1]))(x)


def flatten(x: jax.Array) -> jax.Array:
  """Makes each example a vector.  [B, ...] -> [B, n]."""
  return x.reshape(x.shape[0], -1)


class GatedDense(nn.Module):
  """h(x) * sigmoid(g(x)), where h and g are affine.

  Here and in `GatedConv`, h and g have separate parameters: an optimizer that
  scales each tensor by its norm would treat one merged tensor differently.

  Attributes:
    features: width of the output.
  """
  features: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """x [B, n] -> [B, features]."""
    h = linear(x, self.features, 'h')
    return h * nn.sigmoid(linear(x, self.features, 'g'))


class GatedConv(nn.Module):
  """h(x) * sigmoid(g(x)), where h and g are convolutions.

  All sides have the same padding.  One convolution computes both h and g.

  Attributes:
    features: number of channels of the output.
    size: side of the kernel.
    stride: stride along both axes.
  """
  features: int
  size: int
  stride: int = 1

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """x [B, H, W, C] -> [B, ceil(H / stride), ceil(W / stride), features]."""
    shape = (self.size, self.size, x.shape[-1], self.features)
    kernels, biases = zip(
        *(Affine(shape, name=name)() for name in 'hg'), strict=True)
    x, *parameters = dtypes.promote_dtype(x, *kernels, *biases)
    kernel = jnp.concatenate(parameters[:2], -1)
    bias = jnp.concatenate(parameters[2:])
    y = convolution.conv(x, kernel, (self.stride,) * 2,
                         ((self.size // 2,) * 2,) * 2)
    h, g = jnp.split(y + bias[None, None, None], 2, axis=-1)
    return h * nn.sigmoid(g)


class Affine(nn.Module):
  """The parameters of a convolution.

  Attributes:
    shape: shape of the kernel, [height, width, channels, features].
  """
  shape: Sequence[int]

  @nn.compact
  def __call__(self) -> tuple[jax.Array, jax.Array]:
    """The kernel, [*shape], and the bias, [features]."""
    return (self.param('kernel', FAN_IN_UNIFORM, self.shape),
            self.param('bias', fan_in_uniform_bias(math.prod(self.shape[:-1])),
                       self.shape[-1:]))
