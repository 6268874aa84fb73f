"""Variational autoencoder whose prior is a mixture of posteriors."""
from collections.abc import Sequence
from typing import Any, Literal

from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax import errors, losses, options
from swae_jax.networks import base as networks
from swae_jax.systems import base, likelihoods, pseudo_inputs, variational


class OneLevel(variational.Model, kw_only=True):
  """A model with the prior (1 / K) sum_k q(z | u_k) of learned u_k."""
  components: int  # K
  shape: Sequence[int]  # [H, W, C] of an image
  bounded: bool  # data lie in [0, 1]

  def setup(self) -> None:
    """Makes the pseudo-inputs; `starter` sets their values."""
    self.pseudo_inputs = pseudo_inputs.parameter(
        self, self.components, self.shape)

  def component(self, u: jax.Array) -> variational.Law:
    """u [n, H, W, C] -> mean and log-variance of q(z | u), each [n, D].

    Statistics are frozen in training, too.  A normalisation therefore learns
    nothing from the pseudo-inputs, and the loss sees the prior that `sample`
    draws from.
    """
    return self.posterior(pseudo_inputs.inside(u, self.bounded))

  def log_prior(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The zeros [B] of one level, and log p(z) [B]."""
    components = self.component(self.pseudo_inputs)
    return jnp.zeros_like(z[:, 0]), losses.log_normal_mixture(z, *components)

  def sample(self, key: jax.Array, n: int) -> jax.Array:
    """n samples of p(z).  [n, D]."""
    k_key, z_key = jax.random.split(key)
    # Here all pseudo-inputs have the same chance; the released code takes the
    # first n pseudo-inputs.
    k = jax.random.randint(k_key, (n,), 0, self.components)
    return variational.draw(z_key, *self.component(self.pseudo_inputs[k]))


class TwoLevel(OneLevel, kw_only=True):
  """The laws q(z2 | x) q(z1 | x, z2) and p(x | z1, z2) p(z1 | z2) p(z2).

  The prior of z2 is the mixture.  A code [B, 2 D] joins z1 and z2.
  """
  joint_encoder: nn.Module  # x, z2 -> mean and log-variance of z1, each [B, D]
  conditional: nn.Module  # z2 -> mean and log-variance of z1, each [B, D]

  def posterior1(self, x: jax.Array, z2: jax.Array,
                 train: bool = False) -> variational.Law:
    """Mean and log-variance of q(z1 | x, z2), each [B, D]."""
    return self.normal(self.joint_encoder(x, z2, train=train))

  def prior1(self, z2: jax.Array) -> variational.Law:
    """Mean and log-variance of p(z1 | z2), each [B, D]."""
    return self.normal(self.conditional(z2))

  def infer(self, x: jax.Array, key: jax.Array | None = None,
            train: bool = False) -> tuple[jax.Array, jax.Array]:
    """A sample z of q(z | x) [B, 2 D], and log q(z | x) [B].

    Without a key, z2 is the mean given x, and z1 is the mean given x and z2.
    """
    key1, key2 = (None, None) if key is None else jax.random.split(key)
    z2, log_q2 = super().infer(x, key2, train)
    law = self.posterior1(x, z2, train)
    z1 = variational.draw(key1, *law)
    return jnp.concatenate([z1, z2], 1), losses.log_normal(z1, *law) + log_q2

  def log_posterior(self, x: jax.Array, z: jax.Array,
                    train: bool = False) -> jax.Array:
    """log q(z1 | x, z2) + log q(z2 | x) [B] at any z [B, 2 D]."""
    z1, z2 = jnp.split(z, 2, axis=1)
    return (losses.log_normal(z1, *self.posterior1(x, z2, train))
            + super().log_posterior(x, z2, train))

  def log_prior(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """z [B, 2 D] -> log p(z1 | z2) and log p(z2), each [B]."""
    z1, z2 = jnp.split(z, 2, axis=1)
    _, log_p2 = super().log_prior(z2)
    return losses.log_normal(z1, *self.prior1(z2)), log_p2

  def sample(self, key: jax.Array, n: int) -> jax.Array:
    """n samples of z2 ~ p(z2) and of z1 ~ p(z1 | z2), joined.  [n, 2 D]."""
    key1, key2 = jax.random.split(key)
    z2 = super().sample(key2, n)
    z1 = variational.draw(key1, *self.prior1(z2))
    return jnp.concatenate([z1, z2], axis=1)

  def outputs(self, z: jax.Array,
              train: bool = False) -> tuple[jax.Array, ...]:
    """z [B, 2 D] -> the outputs of the decoder, a tuple of [B, H, W, C]."""
    return self.decoder(*jnp.split(z, 2, axis=1), train=train)


def build(network: networks.Network, spec: base.Spec, latents: int, levels: int,
          components: int, likelihood: str, scale: float, logvar_min: float,
          logvar_max: float) -> OneLevel:
  """Returns the model with one or two levels of codes."""
  parts = variational.parts(
      network, spec, latents, likelihood, scale, logvar_min, logvar_max)
  parts.update(components=components, shape=tuple(spec.shape),
               bounded=spec.bounded)
  if levels == 1:
    return OneLevel(**parts)
  two = network.hierarchy
  if two is None:
    raise errors.UserError(
        'levels=2: this network has no modules for two levels of codes; give '
        '--config.network.name=gated_conv or mlp, or levels=1')
  channels = parts['likelihood'].outputs * (spec.shape[-1],)
  fields: dict[str, Any] = {
      **parts, 'decoder': two.decoder(*channels),
      'joint_encoder': two.encoder(latents, latents),
      'conditional': two.conditional(latents, latents)}
  return TwoLevel(**fields)


def make(network: networks.Network, spec: base.Spec, latents: int, *,
         levels: Literal[1, 2] = 1, components: options.Count = 500,
         start: Literal['data', 'noise'] = 'data',
         start_mean: options.Real = .05, start_std: options.NonNegative = .01,
         likelihood: likelihoods.Name = 'auto', scale: options.Positive = 1.,
         beta: options.NonNegative = 1., warm_up: options.CountOrZero = 0,
         logvar_min: options.Real = -6., logvar_max: options.Real = 2.
         ) -> base.System:
  """Tomczak and Welling, "VAE with a VampPrior", 2018, eq. 9 and section 4.

  The system learns its prior; `systems/pseudo_inputs` explains `components` and
  `start`.

  Args:
    network: makes the encoders and the decoder.
    spec: facts about the data.
    latents: D, the dimension of a code; with two levels, of each level.
    levels: number of levels: 1, or 2 with the code (z1, z2).
    components: K, the number of pseudo-inputs.
    start: values at which the pseudo-inputs start, 'data' or 'noise'.
    start_mean: mean of the noise for start='noise'.
    start_std: standard deviation of the noise at the start.
    likelihood: law of an image given its code, see `vae.make`.
    scale: standard deviation of the pixels, for 'gaussian'.
    beta: weight of the KL; the system estimates the KL at one code.
    warm_up: the number of epochs in which the weight of the KL grows from 0 to
      beta; 0 means no warm-up.
    logvar_min: lower clip of all log-variances.
    logvar_max: upper clip of all log-variances.

  Returns:
    The system, with codes [B, D]; [B, 2 D] with two levels.

  Raises:
    errors.UserError: the options contradict each other, the network or the
      data.
  """
  weight = variational.warm_up(warm_up, spec)
  model = build(network, spec, latents, levels, components, likelihood, scale,
                logvar_min, logvar_max)
  init, examples = pseudo_inputs.starter(
      model, components, start, start_mean, start_std)

  def terms(m, x, key, step):
    d = m.densities(x, key, train=True)
    return variational.bound(d.likelihood, d.kl(), beta * weight(step))

  return variational.system(model, init, examples, terms)
