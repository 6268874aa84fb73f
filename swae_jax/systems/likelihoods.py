"""Laws of an image given its code, in terms of what a decoder returns."""
from collections.abc import Callable
import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from swae_jax import errors, losses
from swae_jax.systems import base


class Likelihood(NamedTuple):
  """p(x | z); `outputs` are what the decoder returns for z."""
  outputs: int  # How many, of C channels each.
  discrete: bool  # No gradient passes through a draw.
  log_prob: Callable  # x [B, H, W, C], *outputs [B, H, W, C] -> [B]
  mean: Callable  # *outputs -> [B, H, W, C]
  draw: Callable  # key, *outputs -> x ~ p(x | z) [B, H, W, C]


def bernoulli(scale: float, bounded: bool) -> Likelihood:
  """Binary pixels; one output, the logits."""
  del scale, bounded
  return Likelihood(
      1, True, losses.log_bernoulli, jax.nn.sigmoid,
      lambda key, logits: jax.random.bernoulli(
          key, jax.nn.sigmoid(logits)).astype(logits.dtype))


def gaussian(scale: float, bounded: bool) -> Likelihood:
  """Normal pixels of one standard deviation; one output, which gives the mean.

  A sigmoid takes it to the range of the data if that is [0, 1].
  """
  mean = jax.nn.sigmoid if bounded else lambda output: output
  return Likelihood(
      1, False,
      lambda x, output: losses.log_normal(
          x, mean(output), 2 * math.log(scale)), mean,
      lambda key, output: mean(output) + scale * jax.random.normal(
          key, output.shape, output.dtype))


def logistic_256(scale: float, bounded: bool) -> Likelihood:
  """256 grey levels; two outputs, for the mean and the log of the scale.

  The mean stays in [1/512, 1 - 1/512] and the log-scale in [-4.5, 0], as in the
  released code of the VampPrior; beyond there is no gradient.
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


# The option `likelihood` of the systems that have one.
Name = Literal['auto', 'bernoulli', 'gaussian', 'logistic_256']
LIKELIHOODS: dict[str, Callable[[float, bool], Likelihood]] = {
    'bernoulli': bernoulli, 'gaussian': gaussian,
    'logistic_256': logistic_256}


def make(name: str, scale: float, spec: base.Spec) -> Likelihood:
  """The likelihood of a name; 'auto' chooses by the data.

  'auto' is 'bernoulli' for binary images, 'logistic_256' for other images in
  [0, 1], as in Sun and Guo 2021, and 'gaussian' for data without a range.
  """
  if name == 'auto':
    name = 'bernoulli' if spec.binary else 'logistic_256'
    name = name if spec.bounded else 'gaussian'
  if not spec.bounded and name != 'gaussian':
    raise errors.UserError(f'likelihood={name} needs data in [0, 1], and these '
                           'are not; give likelihood=gaussian')
  return LIKELIHOODS[name](scale, spec.bounded)
