"""The losses of the critic and of the encoder in WAE-GAN."""
import jax
from jax.typing import ArrayLike

from swae_jax.losses import inputs


def critic_loss(logits_code: ArrayLike, logits_prior: ArrayLike) -> jax.Array:
  """Cross entropy of a critic that tells prior samples (1) from codes (0).

  The discriminator of Tolstikhin et al., "Wasserstein auto-encoders", 2018,
  Algorithm 1, ascends -lambda times this loss.

  Args:
    logits_code: [B] the critic's logits at codes.
    logits_prior: [B] the critic's logits at samples of the prior.

  Returns:
    [B]

  Raises:
    ValueError: the logits are not both [B].  JAX would broadcast [B, 1] and
      [B] to [B, B].
  """
  code, prior = inputs.vectors(
      'critic_loss', logits_code=logits_code, logits_prior=logits_prior)
  return jax.nn.softplus(-prior) + jax.nn.softplus(code)


def generator_loss(logits_code: ArrayLike) -> jax.Array:
  """Cross entropy of the critic's logits at codes with the label 1.

  This is the non-saturating loss of the encoder.  The encoder of Tolstikhin et
  al., "Wasserstein auto-encoders", 2018, Algorithm 1, descends -log D(z).

  Args:
    logits_code: [B] the critic's logits at codes.

  Returns:
    [B]

  Raises:
    ValueError: the logits are not [B].
  """
  code, = inputs.vectors('generator_loss', logits_code=logits_code)
  return jax.nn.softplus(-code)
