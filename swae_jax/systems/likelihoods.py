"""Laws of an image given its code; a decoder returns their parameters."""
from collections.abc import Callable
import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from swae_jax import errors, losses
from swae_jax.systems import base


class Likelihood(NamedTuple):
  """The law p(x | z), whose parameters are outputs of the decoder for z."""
  outputs: int  # number of the decoder's outputs [B, H, W, C]
  discrete: bool  # whether samples of x carry no gradient
  log_prob: Callable  # x [B, H, W, C], *outputs -> log p(x | z) [B]
  mean: Callable  # *outputs -> mean of x [B, H, W, C]
  draw: Callable  # key, *outputs -> sample of x [B, H, W, C]


def bernoulli(scale: float, bounded: bool) -> Likelihood:
  """Law of binary pixels; the one output is their logits."""
  del scale, bounded
  return Likelihood(
      1, True, losses.log_bernoulli, jax.nn.sigmoid,
      lambda key, logits: jax.random.bernoulli(
          key, jax.nn.sigmoid(logits)).astype(logits.dtype))


def gaussian(scale: float, bounded: bool) -> Likelihood:
  """Normal law with the standard deviation `scale` for every pixel.

  The one output is the mean, or for bounded data the logit of the mean.
  """
  mean = jax.nn.sigmoid if bounded else lambda output: output
  return Likelihood(
      1, False,
      lambda x, output: losses.log_normal(
          x, mean(output), 2 * math.log(scale)), mean,
      lambda key, output: mean(output) + scale * jax.random.normal(
          key, output.shape, output.dtype))


def logistic_256(scale: float, bounded: bool) -> Likelihood:
  """Logistic law of 256 grey levels.

  The two outputs are the logit of the mean and the log-scale.  The code clips
  the mean to [1/512, 1 - 1/512] and the log-scale to [-4.5, 0], as the released
  code of Tomczak and Welling 2018 does.  A clipped value has no gradient.
  """
  del scale, bounded
  mean = lambda output: jnp.clip(jax.nn.sigmoid(output), 1 / 512, 1 - 1 / 512)
  logscale = lambda output: jnp.clip(output, -4.5, 0.)

  def draw(key, first, second):
    noise = jax.random.logistic(key, first.shape, first.dtype)
    return jnp.clip(mean(first) + jnp.exp(logscale(second)) * noise, 0., 1.)

  return Likelihood(
      2, False, lambda x, first, second: losses.log_logistic_256(
          x, mean(first), logscale(second)),
      lambda first, second: mean(first), draw)


# Type of the option `likelihood` of the systems that have this option.
Name = Literal['auto', 'bernoulli', 'gaussian', 'logistic_256']
LIKELIHOODS: dict[str, Callable[[float, bool], Likelihood]] = {
    'bernoulli': bernoulli, 'gaussian': gaussian,
    'logistic_256': logistic_256}


def make(name: str, scale: float, spec: base.Spec) -> Likelihood:
  """Returns the likelihood called `name`; 'auto' chooses by the data.

  'auto' is 'bernoulli' for binary images, 'logistic_256' for other images in
  [0, 1], as in Sun and Guo 2021, and 'gaussian' for data without a range.
  `scale` is the standard deviation of the pixels, for 'gaussian'.
  """
  if name == 'auto':
    name = 'bernoulli' if spec.binary else 'logistic_256'
    name = name if spec.bounded else 'gaussian'
  if not spec.bounded and name != 'gaussian':
    raise errors.UserError(
        f'likelihood={name} needs data in [0, 1], but this data set has other '
        'values; give likelihood=gaussian')
  return LIKELIHOODS[name](scale, spec.bounded)
