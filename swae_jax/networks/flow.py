"""An invertible map of codes, for laws richer than the normal."""
from flax import linen as nn
import jax.numpy as jnp


class Flow(nn.Module):
  """Affine couplings given a context, at the start the identity.

  Dinh et al., "Density estimation using Real NVP", 2017: each layer scales and
  shifts every other axis by what it sees of the rest and, here, of the context.
  """
  layers: int
  hidden: int = 128

  @nn.compact
  def __call__(self, z, context):
    """z [B, D], context [B, n] -> [B, D]."""
    for i in range(self.layers):
      kept = jnp.arange(z.shape[1])[None] % 2 == i % 2
      x = jnp.concatenate([jnp.where(kept, z, 0.), context], axis=1)
      x = nn.relu(nn.Dense(self.hidden)(x))
      scale, shift = jnp.split(nn.Dense(
          2 * z.shape[1], kernel_init=nn.initializers.zeros)(x), 2, axis=1)
      # Bounded, so that no layer stretches by more than e.
      z = jnp.where(kept, z, z * jnp.exp(jnp.tanh(scale)) + shift)
    return z
