"""Families of networks: make(shape, **options) -> base.Network."""
from swae_jax.networks import avgpool, gated_conv, mlp

NETWORKS = {
    'avgpool': avgpool.make,
    'gated_conv': gated_conv.make,
    'mlp': mlp.make,
}
