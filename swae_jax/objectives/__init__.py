"""Systems: make(network, prior, shape, latents, **options) -> Objective."""
from swae_jax.objectives import sliced, swae, wae_mmd

OBJECTIVES = {
    'sliced': sliced.make,
    'swae': swae.make,
    'wae_mmd': wae_mmd.make,
}
