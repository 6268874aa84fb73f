"""Autoencoders whose codes are held to a fixed prior."""
from flax import linen as nn
import jax.numpy as jnp
from swae_jax.objectives import base


class Autoencoder(nn.Module):
  """A deterministic encoder, and a decoder with the range of the data."""
  encoder: nn.Module
  decoder: nn.Module
  bounded: bool  # Data in [0, 1]: what the decoder returns are logits.
  floor: float = 0.  # Decoded pixels are kept in [floor, 1 - floor].

  def __call__(self, x):
    """x [B, H, W, C] -> its reconstruction [B, H, W, C]."""
    return self.decode(self.encode(x))

  def encode(self, x, train=False):
    """x [B, H, W, C] -> z [B, D]."""
    return self.encoder(x, train=train)[0]

  def output(self, z, train=False):
    """z [B, D] -> what the decoder returns [B, H, W, C]."""
    return self.decoder(z, train=train)[0]

  def decode(self, z, train=False):
    """z [B, D] -> mean image [B, H, W, C]."""
    x = self.output(z, train)
    if self.bounded:
      x = nn.sigmoid(x)
    if self.floor:
      x = jnp.clip(x, self.floor, 1 - self.floor)  # No gradient outside.
    return x


def encode(model):
  """Objective.encode of a deterministic encoder, which ignores the key."""
  return lambda variables, x, key=None: base.evaluate(
      model, variables, lambda m: m.encode(x))


def decode(model):
  """Objective.decode."""
  return lambda variables, z: base.evaluate(
      model, variables, lambda m: m.decode(z))


def make(network, prior, shape, latents, bounded, terms):
  """The objective that minimises terms(model, x, key) -> loss, metrics."""
  model = Autoencoder(
      network.encoder(latents), network.decoder(shape[-1]), bounded)

  def loss(variables, x, key, step):
    del step
    (value, metrics), stats = base.update(
        model, variables, lambda m: terms(m, x, key))
    return value, (stats, {'loss': value, **metrics})

  return base.Objective(
      init=lambda key, x: base.init(model, key, x[:2]),
      loss=loss, encode=encode(model), decode=decode(model),
      sample=lambda variables, key, n: prior(key, n, latents))
