"""The pair of encoder and decoder that ae, wae and swae share."""
from collections.abc import Callable
from typing import Any

from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax.systems import base

LOGVAR_RANGE = (-50., 50.)  # clip of a random encoder, against infinities


class Autoencoder(nn.Module):
  """An encoder, and a decoder whose images have the range of the data.

  An encoder with two heads is random: the code has a normal law, the first head
  is the mean and the second head is the log-variance of this law.
  """
  encoder: nn.Module  # x [B, H, W, C] -> one or two heads [B, D]
  decoder: nn.Module  # z [B, D] -> one head [B, H, W, C]
  bounded: bool  # data lie in [0, 1], and the decoder returns logits
  floor: float = 0.  # clip of decoded pixels to [floor, 1 - floor]; 0 is none

  def __call__(self, x: jax.Array) -> Any:
    """x [B, H, W, C] -> reconstruction of x [B, H, W, C]."""
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
  """Returns `System.encode`: variables, x, key=None -> z [B, D].

  With a key the code is a sample, without a key the mean.
  """
  def encode(variables, x, key=None):
    return base.evaluate(model, variables, lambda m: (
        m.encode(x) if key is None else m.draw(key, x)))
  return encode


def decode(model: Autoencoder) -> Callable:
  """Returns `System.decode`: variables, z [B, D] -> x [B, H, W, C]."""
  return lambda variables, z: base.evaluate(
      model, variables, lambda m: m.decode(z))
