"""Autoencoder without a penalty on the codes."""
from swae_jax import losses, priors
from swae_jax.networks import base as networks
from swae_jax.systems import autoencoder, base


def make(network: networks.Network, prior: priors.Prior, spec: base.Spec,
         latents: int) -> base.System:
  """The autoencoder that minimises the squared error of the reconstruction.

  A penalty can only raise this reconstruction error.  Nothing pulls the codes
  towards the prior, so images from samples of the prior show why the other
  systems have a penalty.

  Args:
    network: makes the encoder and the decoder.
    prior: the law that `System.sample` draws from; the loss ignores the prior.
    spec: facts about the data.
    latents: D, the dimension of a code.

  Returns:
    The system, with codes [B, D].
  """
  model = autoencoder.Autoencoder(
      network.encoder(latents), network.decoder(spec.shape[-1]), spec.bounded)

  def loss(variables, x, key, step):
    del key, step  # The loss draws nothing.
    x_rec, stats = base.update(model, variables, lambda m: m.decode(
        m.encode(x, train=True), train=True))
    value = losses.squared_error(x, x_rec).mean()
    return value, (stats, {'loss': value, 'reconstruction': value})

  return base.System(
      init=lambda key, x: base.init(model, key, x[:2]), loss=loss,
      encode=autoencoder.encode(model), decode=autoencoder.decode(model),
      sample=lambda variables, key, n: prior.sample(key, n, latents))
