"""Families of networks: each is a function make(shape, **options) -> Network.

`shape` is [H, W, C] of an example; `base.Network` explains the result.
"""
from collections.abc import Callable

from swae_jax.networks import avgpool, base, dcgan, gated_conv, mlp

NETWORKS: dict[str, Callable[..., base.Network]] = {
    'avgpool': avgpool.make,
    'dcgan': dcgan.make,
    'gated_conv': gated_conv.make,
    'mlp': mlp.make,
}
