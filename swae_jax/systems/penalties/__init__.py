"""Penalties of `wae`: make(prior, latents, **options) -> Penalty."""
from collections.abc import Callable

from swae_jax.systems.penalties import base, gan, max_sliced, mmd, sliced

PENALTIES: dict[str, Callable[..., base.Penalty]] = {
    'gan': gan.make,
    'max_sliced': max_sliced.make,
    'mmd': mmd.make,
    'sliced': sliced.make,
}
