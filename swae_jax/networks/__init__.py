"""Families of networks: make(shape, **options) -> base.Network."""
from swae_jax.networks import avgpool, dcgan, gated_conv, mlp

NETWORKS = {
    'avgpool': avgpool.make,
    'dcgan': dcgan.make,
    'gated_conv': gated_conv.make,
    'mlp': mlp.make,
}
