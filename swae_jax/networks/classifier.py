"""A small classifier; its features replace the features of Inception."""
from flax import linen as nn
import jax

from swae_jax.networks import layers

FEATURES = 128


class Classifier(nn.Module):
  """Convolutions that halve the sides down to 8 pixels, then a hidden layer.

  Attributes:
    classes: number of classes.
  """
  classes: int

  @nn.compact
  def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x [B, H, W, C] in [0, 1] -> features [B, 128], logits [B, classes]."""
    width = 32
    while width == 32 or max(x.shape[1:3]) > 8:
      x = nn.relu(layers.conv(width, 3, stride=2)(x))
      width = min(2 * width, 128)
    x = nn.relu(nn.Dense(FEATURES)(layers.flatten(x)))
    return x, nn.Dense(self.classes)(x)
