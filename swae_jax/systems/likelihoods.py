"""Laws of an image given its code, in terms of what a decoder returns."""
from collections.abc import Callable
from typing import NamedTuple

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


def bernoulli(scale, bounded):
  """Binary pixels; one output, the logits."""
  del scale, bounded
  return Likelihood(
      1, True, losses.log_bernoulli, jax.nn.sigmoid,
      lambda key, logits: jax.random.bernoulli(
          key, jax.nn.sigmoid(logits)).astype(logits.dtype))


def gaussian(scale, bounded):
  """Normal pixels of one standard deviation; one output, which gives the mean.

  A sigmoid takes it to the range of the data if that is [0, 1].
  """
  if not scale > 0:
    raise errors.UserError(f'scale={scale}: it must be above 0')
  mean = jax.nn.sigmoid if bounded else lambda output: output
  return Likelihood(
      1, False,
      lambda x, output: losses.gaussian(x, mean(output), scale=scale), mean,
      lambda key, output: mean(output) + scale * jax.random.normal(
          key, output.shape, output.dtype))


def logistic_256(scale, bounded):
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


LIKELIHOODS = {'bernoulli': bernoulli, 'gaussian': gaussian,
               'logistic_256': logistic_256}


def make(name, scale, bounded):
  """LIKELIHOODS[name] for data in [0, 1], if `bounded`, or for any."""
  likelihood = base.choice(LIKELIHOODS, 'likelihood', name)
  if not bounded and name != 'gaussian':
    raise errors.UserError(f"likelihood={name!r} needs data in [0, 1]; for "
                           "these set likelihood='gaussian'")
  return likelihood(scale, bounded)
