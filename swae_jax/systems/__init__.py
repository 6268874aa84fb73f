"""Systems: make(network, prior, penalty, spec, latents, **options) -> System.

`base.System` explains the result.  Each system takes only those of the five
positional arguments that it needs: a system that learns its prior takes no
`prior`, and only `wae` takes a `penalty`.
"""
from collections.abc import Callable

from swae_jax.systems import ae, base, mim, swae, vae, vampprior, wae

SYSTEMS: dict[str, Callable[..., base.System]] = {
    'ae': ae.make,
    'mim': mim.make,
    'swae': swae.make,
    'vae': vae.make,
    'vampprior': vampprior.make,
    'wae': wae.make,
}
