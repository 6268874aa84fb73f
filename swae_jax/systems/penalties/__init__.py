"""Penalties of the system `wae`: make(prior, latents, **options) -> Penalty.

`base.Penalty` explains the result.
"""
from collections.abc import Callable

from swae_jax.systems.penalties import (
    base,
    cramer_wold,
    distributional_sliced,
    energy,
    gan,
    max_sliced,
    mmd,
    sinkhorn,
    sliced,
)

PENALTIES: dict[str, Callable[..., base.Penalty]] = {
    'cramer_wold': cramer_wold.make,
    'distributional_sliced': distributional_sliced.make,
    'energy': energy.make,
    'gan': gan.make,
    'max_sliced': max_sliced.make,
    'mmd': mmd.make,
    'sinkhorn': sinkhorn.make,
    'sliced': sliced.make,
}
