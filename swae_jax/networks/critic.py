"""The discriminator of codes, the second player of adversarial systems."""
from flax import linen as nn

INIT = nn.initializers.normal(.0099999)


class Critic(nn.Module):
  """Dense layers with ReLU, then a linear one.

  Tolstikhin et al., "Wasserstein auto-encoders", 2018, section 4, with the
  width, the depth and the initialisation of its released code for MNIST.
  """
  width: int = 512
  depth: int = 4

  @nn.compact
  def __call__(self, z):
    """z [B, D] -> logits [B]."""
    for _ in range(self.depth):
      z = nn.relu(nn.Dense(self.width, kernel_init=INIT)(z))
    # Not [B, 1]: added to a [B], that would silently become [B, B].
    return nn.Dense(1, kernel_init=INIT)(z)[:, 0]
