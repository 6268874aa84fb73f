"""What the Wasserstein autoencoders of Tolstikhin et al. 2018 share."""
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from swae_jax import errors, losses
from swae_jax.systems import autoencoder, base
from swae_jax.training import optimizers

ENCODERS = {'deterministic': 1, 'gaussian': 2}  # Heads: mean, log-variance.
CLOSE = .1  # A mismatch of moments below which pre-training stops.


class Penalty(NamedTuple):
  """What holds the codes to the prior."""
  init: Callable  # key -> {player: params}, those beside the model
  terms: Callable  # params, z [B, D], z_prior [B, D] -> {name: scalar}


def noisy(key, x, std):
  """Images, and normal noise cut off at two deviations.  [B, H, W, C]."""
  if not std:
    return x
  return x + std * jax.random.truncated_normal(key, -2., 2., x.shape, x.dtype)


def mismatch(z, z_prior):
  """Mean squared differences of the means and of the covariances, summed."""
  def moments(z):
    mean = z.mean(0, keepdims=True)
    covariance = jnp.matmul((z - mean).T, z - mean, precision='highest')
    return mean, covariance / (len(z) - 1)
  return sum(jnp.mean((a - b)**2) for a, b
             in zip(moments(z), moments(z_prior), strict=True))


def pretrain(codes, variables, draw, key, steps):
  """Trains the encoder alone until its codes have the prior's moments.

  Args:
    codes: variables, key -> z [N, D], stats.
    variables: of the model.
    draw: key -> z_prior [N, D].
    key: random key.
    steps: of Adam, at most.

  Returns:
    The variables, with the encoder's and the statistics replaced.
  """
  tx = optimizers.adam(1e-3, b1=.5)
  model = variables.params['model']

  def distance(encoder, stats, key):
    code_key, prior_key = jax.random.split(key)
    z, stats = codes(base.Variables(
        {'model': {**model, 'encoder': encoder}}, stats), code_key)
    return mismatch(z, draw(prior_key)), stats

  def more(state):
    i, value, *_ = state
    return (i < steps) & (value >= CLOSE)

  def step(state):
    i, _, encoder, stats, opt = state
    (value, stats), grads = jax.value_and_grad(distance, has_aux=True)(
        encoder, stats, jax.random.fold_in(key, i))
    updates, opt = tx.update(grads, opt)
    return i + 1, value, optax.apply_updates(encoder, updates), stats, opt

  _, _, encoder, stats, _ = jax.lax.while_loop(more, step, (
      0, jnp.inf, model['encoder'], variables.stats, tx.init(model['encoder'])))
  return base.Variables({'model': {**model, 'encoder': encoder}}, stats)


def check(weight, reconstruction_scale, input_noise, pretrain_steps,
          pretrain_examples):
  """Refuses options that mean nothing."""
  options = {'weight': weight, 'reconstruction_scale': reconstruction_scale,
             'input_noise': input_noise, 'pretrain_steps': pretrain_steps}
  for name, value in options.items():
    if not value >= 0:
      raise errors.UserError(f'{name}={value}: it must not be negative')
  if pretrain_examples < 2:
    raise errors.UserError(f'pretrain_examples={pretrain_examples}: a '
                           'covariance needs at least 2')


def make(network, prior, spec, latents, penalty, *, weight,
         reconstruction_scale, encoder, input_noise, pretrain_steps,
         pretrain_examples):
  """The cost of the reconstruction and, `weight` times, the penalty's terms.

  Args:
    network: base.Network.
    prior: sampler of the codes' target.
    spec: base.Spec.
    latents: dimension D of a code.
    penalty: Penalty.
    weight: lambda, of each term of the penalty.
    reconstruction_scale: of the squared error.
    encoder: a name in ENCODERS.
    input_noise: deviation of the noise on what the encoder sees in the loss.
      What is to be reconstructed has none, nor has `System.encode`.
    pretrain_steps: of the encoder's pre-training, at most.
    pretrain_examples: how many training images it uses, all at each step; the
      released code draws as many anew.
  """
  check(weight, reconstruction_scale, input_noise, pretrain_steps,
        pretrain_examples)
  heads = base.choice(ENCODERS, 'encoder', encoder)
  model = autoencoder.Autoencoder(
      network.encoder(*[latents] * heads), network.decoder(spec.shape[-1]),
      spec.bounded)

  def codes(m, key, x):
    noise_key, draw_key = jax.random.split(key)
    return m.draw(draw_key, noisy(noise_key, x, input_noise), train=True)

  def init(key, x):
    model_key, pretrain_key, penalty_key = jax.random.split(key, 3)
    variables = base.init(model, model_key, x[:2])
    if pretrain_steps:
      variables = pretrain(
          lambda v, key: base.update(model, v, lambda m: codes(m, key, x)),
          variables, lambda key: prior(key, x.shape[0], latents),
          pretrain_key, pretrain_steps)
    return variables._replace(
        params={**variables.params, **penalty.init(penalty_key)})

  def loss(variables, x, key, step):
    del step
    code_key, prior_key = jax.random.split(key)

    def autoencode(m):
      z = codes(m, code_key, x)
      return z, losses.squared_error(x, m.decode(z, train=True)).mean()

    (z, reconstruction), stats = base.update(model, variables, autoencode)
    terms = penalty.terms(
        variables.params, z, prior(prior_key, x.shape[0], latents))
    value = reconstruction_scale * reconstruction + weight * sum(terms.values())
    return value, (stats, {
        'loss': value, 'reconstruction': reconstruction, **terms})

  return base.System(
      init=init, loss=loss, encode=autoencoder.encode(model),
      decode=autoencoder.decode(model),
      sample=lambda variables, key, n: prior(key, n, latents),
      examples=pretrain_examples if pretrain_steps else 1)
