"""Symmetric Wasserstein autoencoder with learned pseudo-inputs."""
from collections.abc import Callable, Sequence
import functools
from typing import Annotated, Any, Literal

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax import errors, losses, options
from swae_jax.networks import base as networks
from swae_jax.networks import flow
from swae_jax.systems import autoencoder, base, pseudo_inputs


class Model(autoencoder.Autoencoder, kw_only=True):
  """An autoencoder, and the prior (1 / K) sum_k N(mean(u_k), var(u_k)).

  The network `conditional` computes the mean and the variance.  A flow, if
  there is one, transforms the samples of each of the K laws.
  """
  conditional: nn.Module  # u [B, H, W, C] -> mean, log-variance, each [B, D]
  flow: nn.Module | None  # z [B, D], context [B, 2 D] -> [B, D]
  components: int  # K
  shape: Sequence[int]  # [H, W, C] of an image
  logvar_range: Sequence[float]  # lower and upper clip of log-variances

  def setup(self) -> None:
    """Makes the pseudo-inputs; `starter` sets their values."""
    self.pseudo_inputs = pseudo_inputs.parameter(
        self, self.components, self.shape)

  def __call__(self, x: jax.Array) -> Any:
    """Calls every part once, so that Flax makes the parameters."""
    mean, logvar = self.conditional(x)
    return super().__call__(x), self.bend(mean, mean, logvar)

  def bend(self, z: jax.Array, mean: jax.Array,
           logvar: jax.Array) -> jax.Array:
    """z [B, D] after the flow, with the mean and log-variance as context."""
    if self.flow is None:
      return z
    return self.flow(z, jnp.concatenate([mean, logvar], axis=1))

  def inside(self, u: jax.Array) -> jax.Array:
    """Pseudo-inputs clipped to the range of the data.  [..., H, W, C]."""
    return pseudo_inputs.inside(u, self.bounded)

  def prior(self, key: jax.Array, k: jax.Array,
            train: bool = False) -> tuple[jax.Array, jax.Array]:
    """k [B] -> a sample z given each u_k, and log-variances, each [B, D]."""
    # The network sees B images, not K.
    mean, logvar = self.conditional(
        self.inside(self.pseudo_inputs[k]), train=train)
    logvar = jnp.clip(logvar, *self.logvar_range)
    noise = jax.random.normal(key, mean.shape, mean.dtype)
    z = mean + jnp.exp(.5 * logvar) * noise
    return self.bend(z, mean, logvar), logvar


def by_image(similarity: Literal['l2', 'cosine']) -> Callable[..., jax.Array]:
  """Returns model, x [B, ...], u [K, ...] -> index [B] of the nearest u."""
  return lambda m, x, u: losses.nearest(x, u, similarity=similarity)


def by_code(m: Model, x: jax.Array, u: jax.Array) -> jax.Array:
  """Index [B] of the pseudo-input whose code is nearest to that of each image.
  """
  # One call, with frozen statistics, encodes images and pseudo-inputs, so that
  # a normalisation treats both alike and learns nothing from pseudo-inputs.
  z = m.encode(jax.lax.stop_gradient(jnp.concatenate([x, u])))
  return losses.nearest(z[:x.shape[0]], z[x.shape[0]:])


SIMILARITIES = {
    'l2': by_image('l2'), 'cosine': by_image('cosine'), 'latent': by_code}


def by_power(m: Model, x: jax.Array, rec: jax.Array, gen: jax.Array,
             z: jax.Array, z_prior: jax.Array, **weights: Any
             ) -> losses.JointOT:
  """Eq. 5 with the norm as the cost of images.

  Args:
    m: turns outputs of the decoder into images.
    x: [B, H, W, C] images.
    rec: [B, H, W, C] the decoder's output for z.
    gen: [B, H, W, C] the decoder's output for z_prior.
    z: [B, D] codes of the images.
    z_prior: [B, D] samples of the prior.
    **weights: alpha, beta and p.

  Returns:
    JointOT of arrays [B].
  """
  return losses.joint_ot(x, m.image(gen), m.image(rec), z, z_prior, **weights)


def by_cross_entropy(m: Model, x: jax.Array, rec: jax.Array, gen: jax.Array,
                     z: jax.Array, z_prior: jax.Array, **weights: Any
                     ) -> losses.JointOT:
  """Eq. 5 with the cross entropy as the cost of images.

  Arguments and result are those of `by_power`.
  """
  del m  # The cross entropy takes logits.
  return losses.joint_ot(x, gen, rec, z, z_prior, **weights,
                         cost=lambda x, y: -losses.log_bernoulli(x, y))


TRANSPORTS: dict[str, Callable[..., losses.JointOT]] = {
    'power': by_power, 'cross_entropy': by_cross_entropy}


def terms(m: Model, x: jax.Array, key: jax.Array,
          find: Callable[..., jax.Array],
          transport: Callable[..., losses.JointOT]) -> dict[str, jax.Array]:
  """The loss of Algorithm 1, and further metrics.

  Args:
    m: the model.
    x: [B, H, W, C] images.
    key: random key, for the samples of the prior.
    find: model, images, pseudo-inputs -> index [B] of a pseudo-input for each
      image.
    transport: `by_power` or `by_cross_entropy`, with its weights.

  Returns:
    {name: array}; the mean of each array is a metric.
  """
  z = m.encode(x, train=True)
  k = find(m, x, m.inside(m.pseudo_inputs))
  z_prior, logvar = m.prior(key, k, train=True)
  chex.assert_equal_shape([z, z_prior])
  # One pass decodes both kinds of code, so that a normalisation sees both.
  both = m.output(jnp.concatenate([z, z_prior]), train=True)
  rec, gen = jnp.split(both, 2)
  chex.assert_equal_shape([x, rec, gen])
  values = transport(m, x, rec, gen, z, z_prior)
  low, high = m.logvar_range
  chosen = jnp.zeros(m.components, bool).at[k].set(True)
  return {
      **values._asdict(), 'prior_logvar': logvar,
      'prior_clamped': (logvar == low) | (logvar == high),
      'distinct_components': chosen.sum() / min(m.components, x.shape[0])}


def check(cost: str, logvar_min: float, logvar_max: float, mean_floor: float,
          bounded: bool) -> None:
  """Raises UserError if options contradict each other or the data."""
  flag = '--config.system.swae'

  def need(held: bool, text: str) -> None:
    if not held:
      raise errors.UserError(f'{flag}.{text}')
  need(logvar_min <= logvar_max, f'logvar_min={logvar_min}: it must not be '
       f'above logvar_max={logvar_max}')
  need(bounded or not mean_floor,
       f'mean_floor={mean_floor}: a floor needs data in [0, 1], but this data '
       'set has other values; give 0')
  need(cost != 'cross_entropy' or bounded,
       'cost=cross_entropy: the cross entropy needs data in [0, 1], but this '
       'data set has other values; give power')
  need(cost != 'cross_entropy' or not mean_floor,
       f'mean_floor={mean_floor}: the cross entropy takes logits, which need '
       'no floor; give 0')


def make(network: networks.Network, spec: base.Spec, latents: int, *,
         alpha: options.NonNegative = 1.,
         beta: options.Share = .5,
         cost: Literal['power', 'cross_entropy'] = 'power',
         p: options.Order = 2.,
         components: options.Count = 500,
         similarity: Literal['l2', 'cosine', 'latent'] = 'l2',
         start: Literal['data', 'noise'] = 'data',
         start_mean: options.Real = .05,
         start_std: options.NonNegative = .01,
         flow_layers: Annotated[int, options.Range(0, 1000)] = 0,
         logvar_min: options.Real = -6.,
         logvar_max: options.Real = 2.,
         mean_floor: Annotated[float, options.Range(0, .5, open_high=True)] = 0.
         ) -> base.System:
  """Sun and Guo, "Symmetric Wasserstein autoencoders", 2021, Algorithm 1.

  The loss is `losses.joint_ot`.  The system learns its prior, a mixture over
  the codes of pseudo-inputs; `systems/pseudo_inputs` explains `components` and
  `start`.

  Args:
    network: makes the encoder, the decoder and the conditional prior.
    spec: facts about the data.
    latents: D, the dimension of a code.
    alpha: weight of the z-loss.
    beta: weight of the x-loss against the reconstruction.  1 leaves out the
      reconstruction (with alpha = 1, eq. 3); 0 leaves out the x-loss, so that
      the decoder never sees a sample of the prior (tables 1 and 2).
    cost: cost between images: 'power' is the norm of eq. 5; 'cross_entropy',
      for data in [0, 1], is one of the extensions that section 5 proposes.
    p: order of the norms of eq. 5.
    components: K, the number of pseudo-inputs.
    similarity: the pseudo-input of an image is the nearest by the distance of
      images ('l2'), by the cosine of images ('cosine') or by the distance of
      codes ('latent'; section 2.3).
    start: values at which the pseudo-inputs start, 'data' or 'noise'.
    start_mean: mean of the noise for start='noise'.
    start_std: standard deviation of the noise at the start.
    flow_layers: number of layers of an affine coupling flow, which makes each
      conditional prior richer than a normal law: the other extension of section
      5.  0 means no flow.
    logvar_min: lower clip of the prior's log-variances.  Nothing in the loss
      rewards variance, so training drives the log-variances to this value.
    logvar_max: upper clip of the prior's log-variances.
    mean_floor: the system clips decoded pixels to [mean_floor, 1 - mean_floor].

  Returns:
    The system, with codes [B, D].

  Raises:
    errors.UserError: the options contradict each other or the data.
  """
  check(cost, logvar_min, logvar_max, mean_floor, spec.bounded)
  find = SIMILARITIES[similarity]
  transport = functools.partial(
      TRANSPORTS[cost], alpha=alpha, beta=beta, p=p)
  model = Model(
      encoder=network.encoder(latents), decoder=network.decoder(spec.shape[-1]),
      conditional=network.encoder(latents, latents),
      flow=flow.Flow(flow_layers) if flow_layers else None,
      components=components,
      shape=tuple(spec.shape), logvar_range=(logvar_min, logvar_max),
      bounded=spec.bounded, floor=mean_floor)

  init, examples = pseudo_inputs.starter(
      model, components, start, start_mean, start_std)

  def loss(variables, x, key, step):
    del step
    values, stats = base.update(model, variables, lambda m: terms(
        m, x, key, find, transport))
    metrics = {name: value.mean() for name, value in values.items()}
    return metrics['loss'], (stats, metrics)

  def sample(variables, key, n):
    k_key, z_key = jax.random.split(key)
    k = jax.random.randint(k_key, (n,), 0, components)
    return base.evaluate(model, variables, lambda m: m.prior(z_key, k)[0])

  return base.System(
      init=init, loss=loss, encode=autoencoder.encode(model),
      decode=autoencoder.decode(model), sample=sample, examples=examples)
