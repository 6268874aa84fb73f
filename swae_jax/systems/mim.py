"""Mutual information machine."""
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp

from swae_jax import losses, options
from swae_jax.networks import base as networks
from swae_jax.systems import (
    base,
    likelihoods,
    pseudo_inputs,
    vampprior,
    variational,
)


def generate(m: vampprior.OneLevel, n: int, key: jax.Array, drawn: bool
             ) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Draws n codes z ~ p(z), and an image x for each code.

  If `drawn` is true, the image is a sample of p(x | z), otherwise its mean.

  Returns:
    z [n, D], log p(x | z) [n] and log q(z | x) [n].
  """
  z_key, x_key = jax.random.split(key)
  z = m.sample(z_key, n)
  outputs = m.outputs(z, train=True)
  law = m.likelihood
  x = law.draw(x_key, *outputs) if drawn else law.mean(*outputs)
  if law.discrete:
    x = jax.lax.stop_gradient(x)
  return z, law.log_prob(x, *outputs), m.log_posterior(x, z, train=True)


def one_side(m: vampprior.OneLevel, x: jax.Array, key: jax.Array, b: Any
             ) -> dict[str, jax.Array]:
  """The loss of A-MIM, at samples of the encoder only.  {name: [B]}."""
  d = m.densities(x, key, train=True)
  loss = losses.a_mim(
      d.likelihood, d.prior, d.posterior, log_p1=d.prior1, warm_up=b)
  return {**variational.bound(d.likelihood, d.kl(), 1.), 'loss': loss}


def both_sides(m: vampprior.OneLevel, x: jax.Array, key: jax.Array, b: Any,
               drawn: bool) -> dict[str, jax.Array]:
  """The loss at samples of the encoder and of the decoder.  {name: [B]}."""
  q_key, p_key = jax.random.split(key)
  z, log_q = m.infer(x, q_key, train=True)
  log_x = m.likelihood.log_prob(x, *m.outputs(z, train=True))
  z_gen, log_x_gen, log_q_gen = generate(m, x.shape[0], p_key, drawn)
  # One call serves both codes, because each call encodes all pseudo-inputs.
  (log_p1, log_p1_gen), (log_p, log_p_gen) = (
      jnp.split(log, 2) for log in m.log_prior(jnp.concatenate([z, z_gen])))
  encoder = losses.a_mim(log_x, log_p, log_q, log_p1=log_p1, warm_up=b)
  decoder = losses.decoder_mim(
      log_x_gen, log_p_gen, log_q_gen, log_p1=log_p1_gen, warm_up=b,
      reinforce=m.likelihood.discrete)
  kl = losses.kl_sampled(log_q, log_p1 + log_p)
  return {**variational.bound(log_x, kl, 1.),
          'encoder_loss': encoder, 'decoder_loss': decoder,
          'loss': losses.symmetric_mim(encoder, decoder, warm_up=b)}


def make(network: networks.Network, spec: base.Spec, latents: int, *,
         symmetric: bool = True, draw: bool = False,
         levels: Literal[1, 2] = 1, components: options.Count = 500,
         start: Literal['data', 'noise'] = 'data',
         start_mean: options.Real = .05, start_std: options.NonNegative = .01,
         likelihood: likelihoods.Name = 'auto', scale: options.Positive = 1.,
         warm_up: options.CountOrZero = 0,
         logvar_min: options.Real = -6., logvar_max: options.Real = 2.
         ) -> base.System:
  """Livne et al., "MIM: mutual information machine", 2019, with a VampPrior.

  The losses are `losses.a_mim` and `losses.symmetric_mim`, with the networks of
  the VampPrior and with the model's own marginal in place of q(x).  The system
  learns its prior; `systems/pseudo_inputs` explains `components` and `start`.

  Args:
    network: makes the encoders and the decoder.
    spec: facts about the data.
    latents: D, the dimension of a code; with two levels, of each level.
    symmetric: True also uses samples of the decoder, once the warm-up is over;
      False is A-MIM.
    draw: True draws the images of the decoder from p(x | z), as the paper does.
      False takes the mean of p(x | z), as the released code does; for binary
      images the score-function term is then exactly zero, and the decoder
      learns from these images only through z.  Drawn images make the
      score-function term very noisy.
    levels: number of levels: 1, or 2 with the code (z1, z2).
    components: K, the number of pseudo-inputs.
    start: values at which the pseudo-inputs start, 'data' or 'noise'.
    start_mean: mean of the noise for start='noise'.
    start_std: standard deviation of the noise at the start.
    likelihood: law of an image given its code, see `vae.make`.
    scale: standard deviation of the pixels, for 'gaussian'.
    warm_up: the number of epochs in which the weight b of `losses.a_mim` grows
      from 0 to 1; 0 means no warm-up.
    logvar_min: lower clip of all log-variances.  Nothing in the loss rewards
      entropy of q(z | x), so training drives its log-variances to this value.
    logvar_max: upper clip of all log-variances.

  Returns:
    The system, with codes [B, D]; [B, 2 D] with two levels.

  Raises:
    errors.UserError: the options contradict each other, the network or the
      data.
  """
  weight = variational.warm_up(warm_up, spec)
  model = vampprior.build(network, spec, latents, levels, components,
                          likelihood, scale, logvar_min, logvar_max)
  init, examples = pseudo_inputs.starter(
      model, components, start, start_mean, start_std)
  terms = functools.partial(both_sides, drawn=draw) if symmetric else one_side
  return variational.system(
      model, init, examples,
      lambda m, x, key, step: terms(m, x, key, weight(step)))
