"""Parts that all systems with a random encoder and a likelihood share."""
from collections.abc import Callable, Sequence
import math
from typing import Any, NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax import errors, losses
from swae_jax.networks import base as networks
from swae_jax.systems import base, likelihoods

Law = tuple[jax.Array, jax.Array]  # mean, log-variance [B, D] of a normal law


class Densities(NamedTuple):
  """Log-densities at images and their codes, each [B]."""
  likelihood: jax.Array  # log p(x | z)
  prior1: jax.Array  # log p(z1 | z2) for two levels; 0 for one
  prior: jax.Array  # log p(z) for one level; log p(z2) for two
  posterior: jax.Array  # log q(z | x)

  def kl(self) -> jax.Array:
    """The one-sample estimate of KL(q(z | x) || p(z)).  [B]."""
    return losses.kl_sampled(self.posterior, self.prior1 + self.prior)


class Model(nn.Module):
  """The laws q(z | x) and p(x | z); a subclass adds the prior p(z)."""
  encoder: nn.Module  # x [B, H, W, C] -> mean and log-variance, each [B, D]
  decoder: nn.Module  # z [B, D] -> the parameters of `likelihood`
  likelihood: likelihoods.Likelihood
  latents: int  # D
  logvar_range: Sequence[float]  # lower and upper clip of log-variances

  def __call__(self, x: jax.Array) -> Any:
    """Calls every part once, so that Flax makes the parameters."""
    z, _ = self.infer(x)
    return self.outputs(z), self.log_prior(z)

  def normal(self, outputs: Sequence[jax.Array]) -> Law:
    """Two outputs of a network -> mean and clipped log-variance [B, D]."""
    mean, logvar = outputs
    low, high = self.logvar_range
    self.sow('shares', 'clamped', jnp.mean((logvar < low) | (logvar > high)))
    return mean, jnp.clip(logvar, low, high)

  def posterior(self, x: jax.Array, train: bool = False) -> Law:
    """x [B, H, W, C] -> mean and log-variance of q(z | x), each [B, D]."""
    return self.normal(self.encoder(x, train=train))

  def infer(self, x: jax.Array, key: jax.Array | None = None,
            train: bool = False) -> tuple[jax.Array, jax.Array]:
    """A sample z of q(z | x) [B, D], without a key the mean; log q(z | x) [B].
    """
    law = self.posterior(x, train)
    z = draw(key, *law)
    return z, losses.log_normal(z, *law)

  def log_posterior(self, x: jax.Array, z: jax.Array,
                    train: bool = False) -> jax.Array:
    """log q(z | x) [B] at any z [B, D]."""
    return losses.log_normal(z, *self.posterior(x, train))

  def log_prior(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """`prior1` and `prior` of `Densities`, each [B], at z [B, D]."""
    raise NotImplementedError

  def sample(self, key: jax.Array, n: int) -> jax.Array:
    """n samples of p(z).  [n, D]."""
    raise NotImplementedError

  def outputs(self, z: jax.Array,
              train: bool = False) -> tuple[jax.Array, ...]:
    """z [B, D] -> the outputs of the decoder, a tuple of [B, H, W, C]."""
    return self.decoder(z, train=train)

  def densities(self, x: jax.Array, key: jax.Array,
                train: bool = False) -> Densities:
    """The densities at x [B, H, W, C] and one z ~ q(z | x), each [B]."""
    z, log_q = self.infer(x, key, train)
    log_likelihood = self.likelihood.log_prob(x, *self.outputs(z, train))
    return Densities(log_likelihood, *self.log_prior(z), log_q)


def draw(key: jax.Array | None, mean: jax.Array,
         logvar: jax.Array) -> jax.Array:
  """A sample of a diagonal normal law [B, D], without a key the mean."""
  if key is None:
    return mean
  noise = jax.random.normal(key, mean.shape, mean.dtype)
  return mean + jnp.exp(.5 * logvar) * noise


def parts(network: networks.Network, spec: base.Spec, latents: int,
          likelihood: str, scale: float, logvar_min: float, logvar_max: float
          ) -> dict[str, Any]:
  """The fields of `Model`, by name."""
  if logvar_min > logvar_max:
    raise errors.UserError(f'logvar_min={logvar_min}: it must not be above '
                           f'logvar_max={logvar_max}')
  law = likelihoods.make(likelihood, scale, spec)
  return {'encoder': network.encoder(latents, latents),
          'decoder': network.decoder(*law.outputs * (spec.shape[-1],)),
          'likelihood': law, 'latents': latents,
          'logvar_range': (logvar_min, logvar_max)}


def warm_up(epochs: int, spec: base.Spec) -> Callable[[Any], Any]:
  """Returns step -> weight, which grows from 0 to 1 in the first `epochs`."""
  if not epochs:
    return lambda step: 1.
  return lambda step: jnp.minimum(1., step / (epochs * spec.steps_per_epoch))


def bound(log_likelihood: jax.Array, kl: jax.Array,
          weight: Any) -> dict[str, jax.Array]:
  """The loss beta KL - log p(x | z) for beta = `weight`, and its parts.

  Returns:
    {name: [B]} of 'loss', 'elbo' (with beta = 1), 'log_likelihood' and 'kl'.
  """
  return {'loss': losses.negative_elbo(log_likelihood, kl, beta=weight),
          'elbo': -losses.negative_elbo(log_likelihood, kl),
          'log_likelihood': log_likelihood, 'kl': kl}


def system(model: Model, init: Callable[..., base.Variables], examples: int,
           terms: Callable[..., dict[str, jax.Array]]) -> base.System:
  """The system that minimises the mean over the batch of the value 'loss'.

  The metric 'clamped' is the share of all log-variances, of codes and of
  priors, that lie beyond their range.

  Args:
    model: the model, the only player of the system.
    init: becomes `System.init`.
    examples: becomes `System.examples`.
    terms: model, x, key, step -> {name: [B]}, with the name 'loss'.
  """
  def loss(variables, x, key, step):
    values, new = nn.apply(
        lambda m: terms(m, x, key, step), model,
        mutable=['batch_stats', 'shares'])(base.collections(variables))
    chex.assert_shape(list(values.values()), (x.shape[0],))
    metrics = {name: value.mean() for name, value in values.items()}
    metrics['clamped'] = jnp.stack(new['shares']['clamped']).mean()
    return metrics['loss'], (new.get('batch_stats', {}), metrics)

  def bind(fn):
    return lambda variables, *args: base.evaluate(
        model, variables, lambda m: fn(m, *args))

  def log_weight(m, x, key):
    d = m.densities(x, key)
    return -losses.negative_elbo(d.likelihood, d.kl())

  return base.System(
      init=init, loss=loss,
      encode=bind(lambda m, x, key=None: m.infer(x, key)[0]),
      decode=bind(lambda m, z: m.likelihood.mean(*m.outputs(z))),
      sample=bind(lambda m, key, n: m.sample(key, n)), examples=examples,
      # The step is after any warm-up, so that validations are comparable.
      valid=lambda variables, x, key: loss(variables, x, key, math.inf)[0],
      log_weight=bind(log_weight))
