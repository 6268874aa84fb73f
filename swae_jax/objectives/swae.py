"""Symmetric Wasserstein autoencoder with learned pseudo-inputs."""
from collections.abc import Sequence
from flax import linen as nn
import jax
import jax.numpy as jnp
from swae_jax import errors, losses
from swae_jax.objectives import autoencoder, base


class Model(autoencoder.Autoencoder, kw_only=True):
  """An autoencoder, and the prior (1 / K) sum_k N(mean(u_k), var(u_k)).

  The mean and the variance come from `conditional`, a network of its own.
  """
  conditional: nn.Module
  components: int
  shape: Sequence[int]
  logvar_range: Sequence[float]

  def setup(self):
    """Makes the pseudo-inputs; their values come from `init` below."""
    self.pseudo_inputs = self.param(
        'pseudo_inputs', nn.initializers.zeros, (self.components, *self.shape))

  def __call__(self, x):
    """Uses every part once, to make its parameters."""
    return super().__call__(x), self.conditional(x)

  def inside(self, u):
    """Pseudo-inputs in the range of the data.  [..., H, W, C].

    A pixel beyond the range has no gradient, and one exactly at its end half.
    """
    return jnp.clip(u, 0., 1.) if self.bounded else u

  def prior(self, key, k, train=False):
    """A sample z given each u_k, and log-variances.  [B] -> 2 of [B, D]."""
    # The network sees B images, not K.
    mean, logvar = self.conditional(
        self.inside(self.pseudo_inputs[k]), train=train)
    logvar = jnp.clip(logvar, *self.logvar_range)
    noise = jax.random.normal(key, mean.shape, mean.dtype)
    return mean + jnp.exp(.5 * logvar) * noise, logvar


def by_image(similarity):
  """Finds the pseudo-input most similar to each image, as an index [B]."""
  return lambda m, x, u: losses.nearest(x, u, similarity=similarity)


def by_code(m, x, u):
  """Finds the pseudo-input whose code is nearest to an image's."""
  # Both at once and with frozen statistics, so that a normalisation treats
  # them alike and learns nothing from the pseudo-inputs.
  z = m.encode(jax.lax.stop_gradient(jnp.concatenate([x, u])))
  return losses.nearest(z[:x.shape[0]], z[x.shape[0]:])


def from_data(key, x, components, mean, std):
  """The first training images, and a little noise.  [K, H, W, C]."""
  del mean
  if x.shape[0] < components:
    raise errors.UserError(
        f'components={components}: pseudo-inputs that start at training images '
        f'need as many, and there are {x.shape[0]}; set components to at most '
        "that, or start='noise'")
  x = x[:components]
  return x + std * jax.random.normal(key, x.shape, x.dtype)


def from_noise(key, x, components, mean, std):
  """Normal noise around a grey.  [K, H, W, C]."""
  shape = (components, *x.shape[1:])
  return mean + std * jax.random.normal(key, shape, x.dtype)


SIMILARITIES = {
    'l2': by_image('l2'), 'cosine': by_image('cosine'), 'latent': by_code}
STARTS = {'data': from_data, 'noise': from_noise}


def check(beta, components, logvar_min, logvar_max, mean_floor, bounded):
  """Refuses options that mean nothing."""
  def need(held, text):
    if not held:
      raise errors.UserError(text)
  need(0 <= beta <= 1, f'beta={beta}: it must lie in [0, 1]')
  need(components >= 1, f'components={components}: it must be at least 1')
  need(logvar_min <= logvar_max, f'logvar_min={logvar_min}: it must not be '
       f'above logvar_max={logvar_max}')
  need(0 <= mean_floor < .5, f'mean_floor={mean_floor}: it must lie in [0, .5)')
  need(bounded or not mean_floor,
       f'mean_floor={mean_floor}: it needs data in [0, 1]; for these set 0')


def make(network, prior, shape, latents, bounded=True, *, alpha=1., beta=.5,
         p=2, components=500, similarity='l2', start='data', start_mean=.05,
         start_std=.01, logvar_min=-6., logvar_max=2., mean_floor=0.):
  """Sun and Guo, "Symmetric Wasserstein autoencoders", 2021, Algorithm 1.

  Args:
    network: base.Network.
    prior: not used, the prior is learned.
    shape: of an image.
    latents: dimension D of a code.
    bounded: whether the data lie in [0, 1]; pseudo-inputs then do, too.
    alpha: weight of the z-loss.
    beta: weight of the x-loss against the reconstruction, in [0, 1].
    p: order of the norms of eq. 5.
    components: K, the number of pseudo-inputs.
    similarity: by which a pseudo-input is found for an image: 'l2' or 'cosine'
      of the images, or 'latent', the distance of their codes (section 2.3).
    start: of the pseudo-inputs: 'data', the first K training images, or
      'noise' around `start_mean`.
    start_mean: where they start with 'noise'.
    start_std: of the noise they start with.
    logvar_min: the prior's log-variances are kept above; nothing in the loss
      rewards variance, so this is where they go.
    logvar_max: and below.
    mean_floor: decoded pixels are kept in [mean_floor, 1 - mean_floor].
  """
  del prior
  check(beta, components, logvar_min, logvar_max, mean_floor, bounded)
  nearest = base.choice(SIMILARITIES, 'similarity', similarity)
  start_at = base.choice(STARTS, 'start', start)
  model = Model(
      encoder=network.encoder(latents), decoder=network.decoder(shape[-1]),
      conditional=network.encoder(latents, latents), components=components,
      shape=tuple(shape), logvar_range=(logvar_min, logvar_max),
      bounded=bounded, floor=mean_floor)

  def init(key, x):
    model_key, start_key = jax.random.split(key)
    u = start_at(start_key, x, components, start_mean, start_std)
    variables = base.init(model, model_key, x[:2])
    # Not in the module: Flax evaluates an initialiser again at every call.
    return variables._replace(params={
        'model': {**variables.params['model'], 'pseudo_inputs': u}})

  def terms(m, x, key):
    z_enc = m.encode(x, train=True)
    k = nearest(m, x, m.inside(m.pseudo_inputs))
    z_prior, logvar = m.prior(key, k, train=True)
    # One pass, so that a normalisation sees both kinds of code together.
    both = m.decode(jnp.concatenate([z_enc, z_prior]), train=True)
    x_rec, x_gen = jnp.split(both, 2)
    cost = losses.joint_ot(
        x, x_gen, x_rec, z_enc, z_prior, alpha=alpha, beta=beta, p=p)
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

  return base.Objective(
      init=init, loss=loss, encode=autoencoder.encode(model),
      decode=autoencoder.decode(model), sample=sample,
      examples=components if start == 'data' else 1)
