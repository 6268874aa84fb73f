"""Autoencoder with no penalty at all."""
from swae_jax import losses
from swae_jax.systems import autoencoder


def make(network, prior, spec, latents):
  """Squared error of the reconstruction: the floor for all other systems.

  Nothing holds the codes to a law, so `prior` is only what `sample` draws
  from, for the evaluators' sake: images decoded from it show what the
  penalties of the others are for.

  Args:
    network: base.Network.
    prior: sampler that has no part in training.
    spec: base.Spec.
    latents: dimension D of a code.
  """
  def terms(m, x, key, step):
    del key, step  # Nothing is drawn.
    x_rec = m.decode(m.encode(x, train=True), train=True)
    reconstruction = losses.squared_error(x, x_rec).mean()
    return reconstruction, {'reconstruction': reconstruction}

  return autoencoder.make(network, prior, spec, latents, terms)
