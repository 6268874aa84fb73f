"""Maximum mean discrepancy."""
import functools
import math
from typing import Literal

from swae_jax import losses, options, priors
from swae_jax.systems.penalties import base

# Each maps a scale to a kernel: C, the expected squared distance between two
# samples of the prior, times `kernel_scale`.
KERNELS = {
    'imq': losses.imq,
    'imq_multiscale': functools.partial(losses.multiscale, losses.imq),
    'rbf': lambda scale: losses.rbf(math.sqrt(scale)),
}


def make(prior: priors.Prior, latents: int, *,
         kernel: Literal['imq', 'imq_multiscale', 'rbf'] = 'imq',
         kernel_scale: options.Positive = 1.) -> base.Penalty:
  """The penalty of WAE-MMD: the U-statistic, which may be negative.

  Tolstikhin et al., "Wasserstein auto-encoders", 2018, Algorithm 2.

  Args:
    prior: its variance sets the scale of the kernel.
    latents: D, the dimension of a code.
    kernel: 'imq' is the kernel of the paper.  'imq_multiscale' is the sum of
      seven such kernels in the released code; the values of the sum are up to
      seven times as large.  'rbf' is a Gaussian kernel.
    kernel_scale: factor of the scale C = 2 D sigma^2 of the kernel, where
      sigma^2 is the variance of the prior along each axis.

  Returns:
    The penalty, with the metric 'mmd'.
  """
  scale = kernel_scale * 2 * latents * prior.variance(latents)
  k = KERNELS[kernel](scale)
  return base.without_player(
      'mmd', lambda z, z_prior, key: losses.mmd(z, z_prior, k))
