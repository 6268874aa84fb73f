"""Symmetric Wasserstein autoencoder with learned pseudo-inputs."""
from collections.abc import Sequence
import functools

from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax import errors, losses
from swae_jax.networks import flow
from swae_jax.systems import autoencoder, base, pseudo_inputs


class Model(autoencoder.Autoencoder, kw_only=True):
  """An autoencoder, and the prior (1 / K) sum_k N(mean(u_k), var(u_k)).

  The mean and the variance come from `conditional`, a network of its own; a
  flow, if there is one, bends each of the K laws by them.
  """
  conditional: nn.Module
  flow: nn.Module | None
  components: int
  shape: Sequence[int]
  logvar_range: Sequence[float]

  def setup(self):
    """Makes the pseudo-inputs; their values come from `starter`."""
    self.pseudo_inputs = pseudo_inputs.parameter(
        self, self.components, self.shape)

  def __call__(self, x):
    """Uses every part once, to make its parameters."""
    mean, logvar = self.conditional(x)
    return super().__call__(x), self.bend(mean, mean, logvar)

  def bend(self, z, mean, logvar):
    """z of N(mean, exp(logvar)) by the flow that these choose.  [B, D]."""
    if self.flow is None:
      return z
    return self.flow(z, jnp.concatenate([mean, logvar], axis=1))

  def inside(self, u):
    """Pseudo-inputs in the range of the data.  [..., H, W, C]."""
    return pseudo_inputs.inside(u, self.bounded)

  def prior(self, key, k, train=False):
    """A sample z given each u_k, and log-variances.  [B] -> 2 of [B, D]."""
    # The network sees B images, not K.
    mean, logvar = self.conditional(
        self.inside(self.pseudo_inputs[k]), train=train)
    logvar = jnp.clip(logvar, *self.logvar_range)
    noise = jax.random.normal(key, mean.shape, mean.dtype)
    z = mean + jnp.exp(.5 * logvar) * noise
    return self.bend(z, mean, logvar), logvar


def by_image(similarity):
  """Finds the pseudo-input most similar to each image, as an index [B]."""
  return lambda m, x, u: losses.nearest(x, u, similarity=similarity)


def by_code(m, x, u):
  """Finds the pseudo-input whose code is nearest to an image's."""
  # Both at once and with frozen statistics, so that a normalisation treats
  # them alike and learns nothing from the pseudo-inputs.
  z = m.encode(jax.lax.stop_gradient(jnp.concatenate([x, u])))
  return losses.nearest(z[:x.shape[0]], z[x.shape[0]:])


def power(m, x, rec, gen, z_enc, z_prior, *, alpha, beta, p):
  """The paper's terms, of what the decoder returned.  JointOT."""
  return losses.joint_ot(x, m.image(gen), m.image(rec), z_enc, z_prior,
                         alpha=alpha, beta=beta, p=p)


def cross_entropy(m, x, rec, gen, z_enc, z_prior, *, alpha, beta, p):
  """The terms with the cross entropy of the pixels.  JointOT."""
  del m
  x_loss, reconstruction = -losses.log_bernoulli(x, gen), -losses.log_bernoulli(x, rec)
  z_loss = losses.power_error(z_enc, z_prior, p=p)
  loss = beta * x_loss + (1 - beta) * reconstruction + alpha * z_loss
  return losses.JointOT(loss, x_loss, reconstruction, z_loss)


SIMILARITIES = {
    'l2': by_image('l2'), 'cosine': by_image('cosine'), 'latent': by_code}
COSTS = {'power': power, 'cross_entropy': cross_entropy}


def check(beta, cost, flow_layers, logvar_min, logvar_max, mean_floor,
          bounded):
  """Refuses options that mean nothing."""
  def need(held, text):
    if not held:
      raise errors.UserError(text)
  need(0 <= beta <= 1, f'beta={beta}: it must lie in [0, 1]')
  need(logvar_min <= logvar_max, f'logvar_min={logvar_min}: it must not be '
       f'above logvar_max={logvar_max}')
  need(0 <= mean_floor < .5, f'mean_floor={mean_floor}: it must lie in [0, .5)')
  need(bounded or not mean_floor,
       f'mean_floor={mean_floor}: it needs data in [0, 1]; for these set 0')
  need(flow_layers >= 0,
       f'flow_layers={flow_layers}: it must not be negative')
  need(cost != 'cross_entropy' or bounded,
       "cost='cross_entropy' needs data in [0, 1]; for these set cost='power'")
  need(cost != 'cross_entropy' or not mean_floor,
       f'mean_floor={mean_floor}: cross entropy is of logits, which need no '
       'floor; set 0')


def make(network, prior, spec, latents, *, alpha=1., beta=.5, cost='power',
         p=2, components=500, similarity='l2', start='data', start_mean=.05,
         start_std=.01, flow_layers=0, logvar_min=-6., logvar_max=2.,
         mean_floor=0.):
  """Sun and Guo, "Symmetric Wasserstein autoencoders", 2021, Algorithm 1.

  Args:
    network: base.Network.
    prior: not used, the prior is learned.
    spec: base.Spec.
    latents: dimension D of a code.
    alpha: weight of the z-loss.
    beta: weight of the x-loss against the reconstruction, in [0, 1]: 1 leaves
      out the reconstruction (with alpha = 1, eq. 3), 0 the x-loss, so that the
      decoder never sees a sample of the prior (tables 1 and 2).
    cost: of images: 'power' for the norms of eq. 5, or 'cross_entropy' for data
      in [0, 1], one of the extensions that section 5 proposes.
    p: order of the norms of eq. 5.
    components: K, the number of pseudo-inputs.
    similarity: by which a pseudo-input is found for an image: 'l2' or 'cosine'
      of the images, or 'latent', the distance of their codes (section 2.3).
    start: of the pseudo-inputs: 'data', the first K training images, or
      'noise' around `start_mean`.
    start_mean: where they start with 'noise'.
    start_std: of the noise they start with.
    flow_layers: of an affine coupling flow that makes each conditional prior
      more than a normal law, the other extension of section 5; 0 for none.
    logvar_min: the prior's log-variances are kept above; nothing in the loss
      rewards variance, so this is where they go.
    logvar_max: and below.
    mean_floor: decoded pixels are kept in [mean_floor, 1 - mean_floor].
  """
  del prior
  check(beta, cost, flow_layers, logvar_min, logvar_max, mean_floor,
        spec.bounded)
  transport = functools.partial(
      base.choice(COSTS, 'cost', cost), alpha=alpha, beta=beta, p=p)
  nearest = base.choice(SIMILARITIES, 'similarity', similarity)
  model = Model(
      encoder=network.encoder(latents), decoder=network.decoder(spec.shape[-1]),
      conditional=network.encoder(latents, latents),
      flow=flow.Flow(flow_layers) if flow_layers else None,
      components=components,
      shape=tuple(spec.shape), logvar_range=(logvar_min, logvar_max),
      bounded=spec.bounded, floor=mean_floor)

  init, examples = pseudo_inputs.starter(
      model, components, start, start_mean, start_std)

  def terms(m, x, key):
    z_enc = m.encode(x, train=True)
    k = nearest(m, x, m.inside(m.pseudo_inputs))
    z_prior, logvar = m.prior(key, k, train=True)
    # One pass, so that a normalisation sees both kinds of code together.
    both = m.output(jnp.concatenate([z_enc, z_prior]), train=True)
    rec, gen = jnp.split(both, 2)
    cost = transport(m, x, rec, gen, z_enc, z_prior)
    chosen = jnp.zeros(components, bool).at[k].set(True)
    clamped = (logvar == logvar_min) | (logvar == logvar_max)
    return {
        **cost._asdict(), 'prior_logvar': logvar, 'prior_clamped': clamped,
        'distinct_components': chosen.sum() / min(components, x.shape[0])}

  def loss(variables, x, key, step):
    del step
    values, stats = base.update(model, variables, lambda m: terms(m, x, key))
    metrics = {name: value.mean() for name, value in values.items()}
    return metrics['loss'], (stats, metrics)

  def sample(variables, key, n):
    k_key, z_key = jax.random.split(key)
    k = jax.random.randint(k_key, (n,), 0, components)
    return base.evaluate(model, variables, lambda m: m.prior(z_key, k)[0])

  return base.System(
      init=init, loss=loss, encode=autoencoder.encode(model),
      decode=autoencoder.decode(model), sample=sample, examples=examples)
