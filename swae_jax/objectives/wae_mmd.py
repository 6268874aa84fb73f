"""Wasserstein autoencoder with an MMD penalty."""
import functools
import math
from swae_jax import losses
from swae_jax.objectives import autoencoder, base

# Made from C, the expected squared distance of two samples of the prior.
KERNELS = {
    'imq': losses.imq,
    'imq_multiscale': functools.partial(losses.multiscale, losses.imq),
    'rbf': lambda scale: losses.rbf(math.sqrt(scale)),
}


def make(network, prior, shape, latents, bounded=True, *, weight=10.,
         kernel='imq', prior_variance=1., reconstruction_scale=1.):
  """Tolstikhin et al., "Wasserstein auto-encoders", 2018, Algorithm 2.

  Args:
    network: base.Network.
    prior: sampler of the codes' target.
    shape: of an image.
    latents: dimension D of a code.
    bounded: whether the data lie in [0, 1].
    weight: lambda, of the penalty.
    kernel: a name in KERNELS.
    prior_variance: sigma_z^2 of `prior` along each axis (it describes the
      prior and does not change it); the scale of the kernel is 2 D sigma_z^2.
    reconstruction_scale: of the squared error; the paper has none, its
      released code .05.
  """
  kernel = base.choice(KERNELS, 'kernel', kernel)(2 * latents * prior_variance)

  def terms(m, x, key):
    z = m.encode(x, train=True)
    x_rec = m.decode(z, train=True)
    reconstruction = losses.squared_error(x, x_rec).mean()
    mmd = losses.mmd(z, prior(key, x.shape[0], latents), kernel)
    loss = reconstruction_scale * reconstruction + weight * mmd
    return loss, {'reconstruction': reconstruction, 'mmd': mmd}

  return autoencoder.make(network, prior, shape, latents, bounded, terms)
