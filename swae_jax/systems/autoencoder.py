"""Autoencoders whose codes are held to a fixed prior."""
from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax.systems import base

LOGVAR_RANGE = (-50., 50.)  # Of a random encoder: against infinities alone.


class Autoencoder(nn.Module):
  """An encoder, and a decoder with the range of the data.

  An encoder with a second head is random: it draws a code from a normal law
  whose mean is the first and whose log-variances are the second.
  """
  encoder: nn.Module
  decoder: nn.Module
  bounded: bool  # Data in [0, 1]: what the decoder returns are logits.
  floor: float = 0.  # Decoded pixels are kept in [floor, 1 - floor].

  def __call__(self, x):
    """x [B, H, W, C] -> its reconstruction [B, H, W, C]."""
    return self.decode(self.encode(x))

  def encode(self, x, train=False):
    """x [B, H, W, C] -> mean code [B, D]."""
    return self.encoder(x, train=train)[0]

  def draw(self, key, x, train=False):
    """x [B, H, W, C] -> code [B, D]; only a random encoder uses the key."""
    mean, *logvar = self.encoder(x, train=train)
    if not logvar:
      return mean
    std = jnp.exp(.5 * jnp.clip(logvar[0], *LOGVAR_RANGE))
    return mean + std * jax.random.normal(key, mean.shape, mean.dtype)

  def output(self, z, train=False):
    """z [B, D] -> what the decoder returns [B, H, W, C]."""
    return self.decoder(z, train=train)[0]

  def image(self, output):
    """What the decoder returns -> mean image, both [B, H, W, C]."""
    x = nn.sigmoid(output) if self.bounded else output
    if self.floor:
      x = jnp.clip(x, self.floor, 1 - self.floor)  # No gradient outside.
    return x

  def decode(self, z, train=False):
    """z [B, D] -> mean image [B, H, W, C]."""
    return self.image(self.output(z, train))


def encode(model):
  """System.encode: the mean code, or with a key a drawn one."""
  def encode(variables, x, key=None):
    return base.evaluate(model, variables, lambda m: (
        m.encode(x) if key is None else m.draw(key, x)))
  return encode


def decode(model):
  """System.decode."""
  return lambda variables, z: base.evaluate(
      model, variables, lambda m: m.decode(z))


def make(network, prior, spec, latents, terms):
  """The system that minimises terms(model, x, key, step) -> loss, metrics.

  Its encoder is deterministic.
  """
  model = Autoencoder(
      network.encoder(latents), network.decoder(spec.shape[-1]),
      spec.bounded)

  def loss(variables, x, key, step):
    (value, metrics), stats = base.update(
        model, variables, lambda m: terms(m, x, key, step))
    return value, (stats, {'loss': value, **metrics})

  return base.System(
      init=lambda key, x: base.init(model, key, x[:2]),
      loss=loss, encode=encode(model), decode=decode(model),
      sample=lambda variables, key, n: prior(key, n, latents))
