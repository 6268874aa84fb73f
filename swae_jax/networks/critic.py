"""The discriminator of codes, the second player of an adversarial penalty."""
from flax import linen as nn
import jax

INIT = nn.initializers.normal(.0099999)


class Critic(nn.Module):
  """Dense layers with ReLU, then a linear layer.

  Tolstikhin et al., "Wasserstein auto-encoders", 2018, section 4.  The released
  code for MNIST has the same width, depth and initialisation.

  Attributes:
    width: units of each hidden layer.
    depth: number of hidden layers.
  """
  width: int = 512
  depth: int = 4

  @nn.compact
  def __call__(self, z: jax.Array) -> jax.Array:
    """z [B, D] -> logits [B]."""
    for _ in range(self.depth):
      z = nn.relu(nn.Dense(self.width, kernel_init=INIT)(z))
    # Logits [B, 1] would broadcast with an array [B] to [B, B].
    return nn.Dense(1, kernel_init=INIT)(z)[:, 0]
