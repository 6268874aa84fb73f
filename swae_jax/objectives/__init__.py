"""Systems: make(network, prior, data, latents, **options) -> Objective."""
from swae_jax.objectives import (
  ae,
  mim,
  sliced,
  swae,
  vae,
  vampprior,
  wae_gan,
  wae_mmd,
)

OBJECTIVES = {
    'ae': ae.make,
    'mim': mim.make,
    'sliced': sliced.make,
    'swae': swae.make,
    'vae': vae.make,
    'vampprior': vampprior.make,
    'wae_gan': wae_gan.make,
    'wae_mmd': wae_mmd.make,
}
