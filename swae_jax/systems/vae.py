"""Variational autoencoder."""
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from swae_jax import errors, losses, options, priors
from swae_jax.networks import base as networks
from swae_jax.systems import base, likelihoods, variational


class Model(variational.Model, kw_only=True):
  """q(z | x), p(x | z) and a fixed prior p(z)."""
  prior: priors.Prior

  def log_prior(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The zeros [B] of one level, and log p(z) [B]."""
    if self.prior.log_prob is None:  # `check` has refused this prior.
      raise NotImplementedError
    return jnp.zeros_like(z[:, 0]), self.prior.log_prob(z)

  def sample(self, key: jax.Array, n: int) -> jax.Array:
    """n samples of p(z).  [n, D]."""
    return self.prior.sample(key, n, self.latents)


def analytic(m: Model, x: jax.Array,
             key: jax.Array) -> tuple[jax.Array, jax.Array]:
  """log p(x | z) [B] at one code z, and the KL [B] in closed form."""
  law = m.posterior(x, train=True)
  outputs = m.outputs(variational.draw(key, *law), train=True)
  return m.likelihood.log_prob(x, *outputs), losses.kl_normal(*law)


def sampled(m: Model, x: jax.Array,
            key: jax.Array) -> tuple[jax.Array, jax.Array]:
  """log p(x | z) [B] and the estimate of the KL [B], at one code z."""
  d = m.densities(x, key, train=True)
  return d.likelihood, d.kl()


KLS: dict[str, Callable] = {'analytic': analytic, 'sampled': sampled}


def check(prior: priors.Prior, latents: int, kl: str) -> None:
  """Raises UserError if the option `kl` does not fit the prior."""
  if prior.log_prob is None:
    raise errors.UserError(
        'system vae needs a prior with a known density; give '
        '--config.prior.name=normal, or another system: wae takes any prior')
  if kl == 'analytic' and not priors.is_standard_normal(prior, latents):
    raise errors.UserError(
        '--config.system.vae.kl=analytic needs the standard normal prior; '
        'give kl=sampled, or --config.prior.name=normal with '
        '--config.prior.normal.scale=1')


def make(network: networks.Network, prior: priors.Prior, spec: base.Spec,
         latents: int, *,
         likelihood: likelihoods.Name = 'auto', scale: options.Positive = 1.,
         kl: Literal['analytic', 'sampled'] = 'analytic',
         beta: options.NonNegative = 1., warm_up: options.CountOrZero = 0,
         logvar_min: options.Real = -6., logvar_max: options.Real = 2.
         ) -> base.System:
  """Kingma and Welling, "Auto-encoding variational Bayes", 2014, eq. 10.

  Args:
    network: makes the encoder and the decoder.
    prior: the law p(z); its density must be known.
    spec: facts about the data.
    latents: D, the dimension of a code.
    likelihood: law of an image given its code: 'bernoulli', 'gaussian' or
      'logistic_256', the discretised logistic law with a learned scale;
      'auto' chooses by the data, see `likelihoods.make`.
    scale: standard deviation of the pixels, for 'gaussian'.
    kl: 'analytic' is exact and needs the standard normal prior; 'sampled'
      estimates the KL at one code and takes any prior with a density.
    beta: weight of the KL.
    warm_up: the number of epochs in which the weight of the KL grows from 0 to
      beta; 0 means no warm-up.
    logvar_min: lower clip of the encoder's log-variances.
    logvar_max: upper clip of the encoder's log-variances.

  Returns:
    The system, with codes [B, D].

  Raises:
    errors.UserError: the options contradict each other, the prior or the data.
  """
  check(prior, latents, kl)
  weight = variational.warm_up(warm_up, spec)
  model = Model(prior=prior, **variational.parts(
      network, spec, latents, likelihood, scale, logvar_min, logvar_max))

  def terms(m, x, key, step):
    log_likelihood, divergence = KLS[kl](m, x, key)
    return variational.bound(log_likelihood, divergence, beta * weight(step))

  return variational.system(
      model, lambda key, x: base.init(model, key, x[:2]), 1, terms)
