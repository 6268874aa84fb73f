"""Transport between the joint laws of data and codes."""
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import distances, inputs


class JointOT(NamedTuple):
  """The terms of Sun and Guo 2021, eq. 5: one value per example each."""
  loss: jax.Array  # [B] beta x_loss + (1 - beta) reconstruction + alpha z_loss
  x_loss: jax.Array  # [B] ||x - D(z_prior)||_p^p
  reconstruction: jax.Array  # [B] ||x - D(E(x))||_p^p
  z_loss: jax.Array  # [B] ||E(x) - z_prior||_p^p


def joint_ot(x: ArrayLike, x_gen: ArrayLike, x_rec: ArrayLike,
             z_enc: ArrayLike, z_prior: ArrayLike, *, alpha: ArrayLike = 1.,
             beta: ArrayLike = .5, p: float = 2.,
             cost: Callable[[ArrayLike, ArrayLike], jax.Array] | None = None
             ) -> JointOT:
  """The loss of the symmetric Wasserstein autoencoder.

  Sun and Guo, "Symmetric Wasserstein autoencoders", 2021, eq. 5.  With
  alpha = beta = 1 the loss is eq. 3: the transport cost between the joint laws
  of (x, E(x)) and (D(z), z), under the coupling that drew z_prior given x.

  Args:
    x: [B, ...] data.
    x_gen: [B, ...] decoded samples of the prior, D(z_prior).
    x_rec: [B, ...] reconstructions, D(E(x)).
    z_enc: [B, D] codes, E(x).
    z_prior: [B, D] one draw of the conditional prior given x.
    alpha: weight of the z-loss, a number or [B]; may be traced.
    beta: weight of the x-loss against the reconstruction, in [0, 1], a number
      or [B]; may be traced.
    p: exponent of the norms, a number of at least 1.
    cost: x, y -> [B], the cost between images.  None takes ||x - y||_p^p.  The
      z-loss always takes the norm.

  Returns:
    JointOT of arrays [B].

  Raises:
    ValueError: shapes differ, the numbers of data and codes differ, a weight
      is neither a number nor [B], or p < 1.
  """
  n, codes = jnp.shape(x)[:1], jnp.shape(z_enc)[:1]
  if n != codes:
    raise ValueError(f'joint_ot: data {list(n)} but codes {list(codes)}')
  cost = cost or (lambda x, y: distances.power_error(x, y, p=p))
  x_loss, reconstruction = cost(x, x_gen), cost(x, x_rec)
  z_loss = distances.power_error(z_enc, z_prior, p=p)
  for name, found in (('D(z_prior)', x_loss), ('D(E(x))', reconstruction)):
    if jnp.shape(found) != n:
      raise ValueError(f'joint_ot: the cost of x and {name} must be {list(n)}, '
                       f'got {list(jnp.shape(found))}')
  alpha, beta = (inputs.weight('joint_ot', name, value, z_loss)
                 for name, value in (('alpha', alpha), ('beta', beta)))
  loss = (inputs.weighted(beta, x_loss)
          + inputs.weighted(1 - beta, reconstruction)
          + inputs.weighted(alpha, z_loss))
  return JointOT(loss, x_loss, reconstruction, z_loss)
