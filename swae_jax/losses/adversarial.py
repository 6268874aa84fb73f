"""The two sides of the latent game of WAE-GAN."""
import jax
from jax.typing import ArrayLike

from swae_jax.losses import inputs


def critic_loss(logits_code: ArrayLike, logits_prior: ArrayLike) -> jax.Array:
  """Cross entropy of telling samples of the prior (1) from codes (0).

  Tolstikhin et al., "Wasserstein auto-encoders", 2018, Algorithm 1: the
  negative of what the discriminator ascends, without the factor lambda.

  Args:
    logits_code: [B] the critic's logits at codes.
    logits_prior: [B] its logits at samples of the prior.

  Returns:
    [B]

  Raises:
    ValueError: the logits are not both [B]; [B, 1] beside [B] would silently
      become [B, B].
  """
  code, prior = inputs.vectors(
      'critic_loss', logits_code=logits_code, logits_prior=logits_prior)
  return jax.nn.softplus(-prior) + jax.nn.softplus(code)


def generator_loss(logits_code: ArrayLike) -> jax.Array:
  """Non-saturating loss of the encoder: cross entropy of codes with 1.

  Tolstikhin et al., "Wasserstein auto-encoders", 2018, Algorithm 1, whose
  encoder descends -log D(z).

  Args:
    logits_code: [B] the critic's logits at codes.

  Returns:
    [B]

  Raises:
    ValueError: the logits are not [B].
  """
  code, = inputs.vectors('generator_loss', logits_code=logits_code)
  return jax.nn.softplus(-code)
