"""Wasserstein autoencoder: a reconstruction cost and a penalty on the codes."""
from collections.abc import Callable
from typing import Annotated, Any, Literal

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import optax

from swae_jax import errors, losses, options, priors
from swae_jax.networks import base as networks
from swae_jax.systems import autoencoder, base
from swae_jax.systems.penalties import base as penalties

CLOSE = .1  # Pre-training stops when `mismatch` is below this number.


def squared(x: jax.Array, output: jax.Array, image: jax.Array) -> jax.Array:
  """||x - image||^2.  [B]."""
  del output
  return losses.squared_error(x, image)


def l2(x: jax.Array, output: jax.Array, image: jax.Array) -> jax.Array:
  """||x - image||.  [B]."""
  # The gradient of the root at 0 is infinite.
  return jnp.sqrt(squared(x, output, image) + 1e-8)


def l1(x: jax.Array, output: jax.Array, image: jax.Array) -> jax.Array:
  """The sum of |x - image| over the pixels.  [B]."""
  del output
  return losses.power_error(x, image, p=1)


def bce_l1(x: jax.Array, output: jax.Array, image: jax.Array) -> jax.Array:
  """Cross entropy plus absolute error, as a mean over the pixels.  [B]."""
  error = losses.power_error(x, nn.sigmoid(output), p=1)
  return (error - losses.log_bernoulli(x, output)) / x[0].size


# Each maps x, the output of the decoder and the mean image, all [B, H, W, C],
# to a cost [B].
COSTS: dict[str, Callable] = {
    'squared': squared, 'l2': l2, 'l1': l1, 'bce_l1': bce_l1}


def noisy(key: jax.Array, x: jax.Array, std: float) -> jax.Array:
  """Images plus normal noise within two standard deviations.  [B, H, W, C]."""
  if not std:
    return x
  return x + std * jax.random.truncated_normal(key, -2., 2., x.shape, x.dtype)


def mismatch(z: jax.Array, z_prior: jax.Array) -> jax.Array:
  """Mean squared difference of the means plus that of the covariances.

  z [N, D], z_prior [N, D] -> scalar.
  """
  def moments(z):
    mean = z.mean(0, keepdims=True)
    covariance = jnp.matmul((z - mean).T, z - mean, precision='highest')
    return mean, covariance / (len(z) - 1)
  (mean, covariance), (mean0, covariance0) = moments(z), moments(z_prior)
  return (jnp.mean((mean - mean0)**2)
          + jnp.mean((covariance - covariance0)**2))


def pretrain(codes: Callable, variables: base.Variables, draw: Callable,
             key: jax.Array, steps: int) -> base.Variables:
  """Trains only the encoder, until the codes have the moments of the prior.

  Args:
    codes: variables, key -> z [N, D], stats.
    variables: the variables of the model.
    draw: key -> z_prior [N, D].
    key: random key.
    steps: the greatest number of steps of Adam.

  Returns:
    The variables with a new encoder and new statistics.
  """
  tx = optax.adam(1e-3, b1=.5)
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


def make(network: networks.Network, prior: priors.Prior,
         penalty: penalties.Penalty, spec: base.Spec, latents: int, *,
         weight: options.NonNegative = 10.,
         growth: options.Positive = 1.,
         growth_from: options.CountOrZero = 10,
         cost: Literal['squared', 'l2', 'l1', 'bce_l1'] = 'squared',
         cost_scale: options.NonNegative = 1.,
         encoder: Literal['deterministic', 'gaussian'] = 'deterministic',
         input_noise: options.NonNegative = 0.,
         pretrain_steps: options.CountOrZero = 0,
         pretrain_examples: Annotated[int, options.Range(2)] = 1000,
         ) -> base.System:
  """Tolstikhin et al., "Wasserstein auto-encoders", 2018, eq. 4.

  The loss is cost_scale * mean cost(x, D(z)) + weight * penalty(z, z_prior),
  where z are the codes of a batch and z_prior as many samples of the prior.
  With the penalties 'gan' and 'mmd' the system is the WAE-GAN and the WAE-MMD
  of Tolstikhin et al. (Algorithms 1 and 2).  With the penalty 'sliced' the
  system is the sliced-Wasserstein autoencoder of Kolouri et al. 2018 (eq. 16).

  Args:
    network: makes the encoder and the decoder.
    prior: the law that the codes should have.
    penalty: compares codes with samples of the prior.
    spec: facts about the data.
    latents: D, the dimension of a code.
    weight: lambda, the weight of the penalty.
    growth: each epoch after `growth_from` multiplies the weight by this factor,
      up to the end of the run.  1 keeps the weight constant; the released code
      of Kolouri et al. has 1.1.
    growth_from: the last epoch, counted from 0, with the weight `weight`.
    cost: cost of a reconstruction: 'squared' is the squared error summed over
      the pixels, 'l2' the root of this sum, 'l1' the absolute error summed over
      the pixels; 'bce_l1' is cross entropy plus absolute error, averaged over
      the pixels, the cost of Kolouri et al.
    cost_scale: factor of the cost.  Tolstikhin et al. have 1.  Their released
      code has .05 for squared errors of images in [-1, 1]; for the images in
      [0, 1] here, .2 is the same.
    encoder: 'deterministic', or 'gaussian' for a mean and a log-variance.
    input_noise: standard deviation of the noise on the encoder's input in
      training.  The cost compares the reconstruction with the image without
      noise.
    pretrain_steps: the greatest number of steps in which, before training, only
      the encoder learns: its codes approach the mean and the covariance of the
      prior.
    pretrain_examples: the number of training images that pre-training uses.

  Returns:
    The system, with codes [B, D].

  Raises:
    errors.UserError: the cost does not fit the data.
  """
  if cost == 'bce_l1' and not spec.bounded:
    raise errors.UserError(
        '--config.system.wae.cost=bce_l1 needs data in [0, 1], but this data '
        'set has other values; give --config.system.wae.cost=squared')
  heads = 2 if encoder == 'gaussian' else 1
  model = autoencoder.Autoencoder(
      network.encoder(*[latents] * heads), network.decoder(spec.shape[-1]),
      spec.bounded)

  def codes(m, key, x):
    noise_key, draw_key = jax.random.split(key)
    return m.draw(draw_key, noisy(noise_key, x, input_noise), train=True)

  def init(key: jax.Array, x: jax.Array) -> base.Variables:
    model_key, pretrain_key, penalty_key = jax.random.split(key, 3)
    variables = base.init(model, model_key, x[:2])
    if pretrain_steps:
      variables = pretrain(
          lambda v, key: base.update(model, v, lambda m: codes(m, key, x)),
          variables, lambda key: prior.sample(key, x.shape[0], latents),
          pretrain_key, pretrain_steps)
    return variables._replace(
        params={**variables.params, **penalty.init(penalty_key)})

  def loss(variables: base.Variables, x: jax.Array, key: jax.Array,
           step: Any) -> tuple[jax.Array, tuple[Any, dict]]:
    code_key, prior_key, penalty_key = jax.random.split(key, 3)

    def autoencode(m):
      z = codes(m, code_key, x)
      output = m.output(z, train=True)
      return z, COSTS[cost](x, output, m.image(output)).mean()

    (z, reconstruction), stats = base.update(model, variables, autoencode)
    z_prior = prior.sample(prior_key, x.shape[0], latents)
    chex.assert_equal_shape([z, z_prior])
    terms = penalty.terms(variables.params, z, z_prior, penalty_key)
    # The number of epochs in which the weight has grown.
    grown = jnp.maximum(step // spec.steps_per_epoch - growth_from, 0)
    value = (cost_scale * reconstruction
             + weight * growth**grown * sum(terms.values()))
    return value, (stats, {
        'loss': value, 'reconstruction': reconstruction, **terms})

  return base.System(
      init=init, loss=loss, encode=autoencoder.encode(model),
      decode=autoencoder.decode(model),
      sample=lambda variables, key, n: prior.sample(key, n, latents),
      examples=pretrain_examples if pretrain_steps else 1)
