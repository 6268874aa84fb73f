"""Wasserstein autoencoder with an MMD penalty."""
import functools
import math

from swae_jax import losses
from swae_jax.systems import base, wae

# Made from C, the expected squared distance of two samples of the prior.
KERNELS = {
    'imq': losses.imq,
    'imq_multiscale': functools.partial(losses.multiscale, losses.imq),
    'rbf': lambda scale: losses.rbf(math.sqrt(scale)),
}


def make(network, prior, spec, latents, *, weight=10., kernel='imq',
         prior_variance=1., reconstruction_scale=1., encoder='deterministic',
         input_noise=0., pretrain_steps=0, pretrain_examples=1000):
  """Tolstikhin et al., "Wasserstein auto-encoders", 2018, Algorithm 2.

  Args:
    network: base.Network.
    prior: sampler of the codes' target.
    spec: base.Spec.
    latents: dimension D of a code.
    weight: lambda, of the penalty.
    kernel: a name in KERNELS; the paper's is 'imq', its released code sums
      seven of them ('imq_multiscale'), so that its penalty is up to seven
      times as large.
    prior_variance: sigma_z^2 of `prior` along each axis (it describes the
      prior and does not change it); the scale of the kernel is 2 D sigma_z^2.
    reconstruction_scale: of the squared error; the paper has none, its
      released code .05, which for images in [-1, 1] is .2 of the error here,
      of images in [0, 1].
    encoder: 'deterministic', or 'gaussian' for a mean and a variance.
    input_noise: deviation of the noise on the encoder's input in training.
    pretrain_steps: how many steps the encoder at most takes at the start
      towards the prior's mean and covariance; the released code 200.
    pretrain_examples: of the first training images, for that.
  """
  kernel = base.choice(KERNELS, 'kernel', kernel)(2 * latents * prior_variance)
  penalty = wae.Penalty(
      init=lambda key: {},
      terms=lambda params, z, z_prior: {'mmd': losses.mmd(z, z_prior, kernel)})
  return wae.make(
      network, prior, spec, latents, penalty, weight=weight,
      reconstruction_scale=reconstruction_scale, encoder=encoder,
      input_noise=input_noise, pretrain_steps=pretrain_steps,
      pretrain_examples=pretrain_examples)
