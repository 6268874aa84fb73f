"""Systems: make(network, prior, spec, latents, **options) -> System."""
from swae_jax.systems import (
    ae,
    mim,
    sliced,
    swae,
    vae,
    vampprior,
    wae_gan,
    wae_mmd,
)

SYSTEMS = {
    'ae': ae.make,
    'mim': mim.make,
    'sliced': sliced.make,
    'swae': swae.make,
    'vae': vae.make,
    'vampprior': vampprior.make,
    'wae_gan': wae_gan.make,
    'wae_mmd': wae_mmd.make,
}
