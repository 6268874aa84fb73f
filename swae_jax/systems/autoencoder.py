"""The pair of encoder and decoder that ae, wae and swae share."""
from collections.abc import Callable
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax.systems import base

LOGVAR_RANGE = (-50., 50.)  # of a random encoder; only against infinities


class Autoencoder(nn.Module):
  """An encoder, and a decoder with the range of the data.

  An encoder with a second head is random: it draws a code from a normal law
  whose mean is the first head and whose log-variances are the second.
  """
  encoder: nn.Module
  decoder: nn.Module
  bounded: bool  # data in [0, 1]: the decoder returns logits
  floor: float = 0.  # decoded pixels are kept in [floor, 1 - floor]

  def __call__(self, x: jax.Array) -> Any:
    """x [B, H, W, C] -> its reconstruction [B, H, W, C]."""
    return self.decode(self.encode(x))

  def encode(self, x: jax.Array, train: bool = False) -> jax.Array:
    """x [B, H, W, C] -> mean code [B, D]."""
    return self.encoder(x, train=train)[0]

  def draw(self, key: jax.Array, x: jax.Array,
           train: bool = False) -> jax.Array:
    """x [B, H, W, C] -> code [B, D]; only a random encoder uses the key."""
    mean, *logvar = self.encoder(x, train=train)
    if not logvar:
      return mean
    std = jnp.exp(.5 * jnp.clip(logvar[0], *LOGVAR_RANGE))
    return mean + std * jax.random.normal(key, mean.shape, mean.dtype)

  def output(self, z: jax.Array, train: bool = False) -> jax.Array:
    """z [B, D] -> output of the decoder [B, H, W, C], logits if bounded."""
    return self.decoder(z, train=train)[0]

  def image(self, output: jax.Array) -> jax.Array:
    """Output of the decoder -> mean image, both [B, H, W, C]."""
    x = nn.sigmoid(output) if self.bounded else output
    if self.floor:
      x = jnp.clip(x, self.floor, 1 - self.floor)  # no gradient outside
    return x

  def decode(self, z: jax.Array, train: bool = False) -> jax.Array:
    """z [B, D] -> mean image [B, H, W, C]."""
    return self.image(self.output(z, train))


def encode(model: Autoencoder) -> Callable:
  """System.encode: the mean code, or with a key a drawn one."""
  def encode(variables, x, key=None):
    return base.evaluate(model, variables, lambda m: (
        m.encode(x) if key is None else m.draw(key, x)))
  return encode


def decode(model: Autoencoder) -> Callable:
  """System.decode."""
  return lambda variables, z: base.evaluate(
      model, variables, lambda m: m.decode(z))
