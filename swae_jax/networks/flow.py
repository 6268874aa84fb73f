"""An invertible map of codes, for laws richer than the normal law."""
from flax import linen as nn
import jax
import jax.numpy as jnp


class Flow(nn.Module):
  """Affine couplings that depend on a context and start as the identity.

  Dinh et al., "Density estimation using Real NVP", 2017.  Each layer scales
  and shifts every second axis.  Scale and shift depend on the other axes and,
  unlike in the paper, also on the context.

  Attributes:
    layers: number of couplings.
    hidden: units of the hidden layer in each coupling.
  """
  layers: int
  hidden: int = 128

  @nn.compact
  def __call__(self, z: jax.Array, context: jax.Array) -> jax.Array:
    """z [B, D], context [B, n] -> [B, D]."""
    for i in range(self.layers):
      kept = jnp.arange(z.shape[1])[None] % 2 == i % 2
      x = jnp.concatenate([jnp.where(kept, z, 0.), context], axis=1)
      x = nn.relu(nn.Dense(self.hidden)(x))
      scale, shift = jnp.split(nn.Dense(
          2 * z.shape[1], kernel_init=nn.initializers.zeros)(x), 2, axis=1)
      # tanh bounds the scale: no layer stretches an axis by more than e.
      z = jnp.where(kept, z, z * jnp.exp(jnp.tanh(scale)) + shift)
    return z
