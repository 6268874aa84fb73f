"""Systems made by their constructors, without a config or data."""
import jax
import jax.numpy as jnp

from swae_jax import networks, options, priors
from swae_jax.systems import SYSTEMS, base, penalties


def fixed(z):
  """A prior whose samples are always z [N, D]."""
  return priors.Prior(lambda key, n, d: jnp.asarray(z), None, lambda d: 1.)


def system(name, shape, latents, *, network=None, prior=None, penalty='mmd',
           penalty_options=None, bounded=True, binary=False,
           steps_per_epoch=10, **given):
  """A system, by default of small perceptrons and the normal prior.

  Args:
    name: in SYSTEMS.
    shape: [H, W, C] of the data.
    latents: D.
    network: what makes the networks.
    prior: the law of the codes.
    penalty: its name in PENALTIES, for `wae`.
    penalty_options: of this penalty.
    bounded: as in Spec.
    binary: as in Spec.
    steps_per_epoch: as in Spec.
    **given: the options of the system.
  """
  make, prior = SYSTEMS[name], prior or priors.PRIORS['normal']()
  parts = {
      'network': network or networks.NETWORKS['mlp'](shape, hidden=8),
      'prior': prior, 'latents': latents,
      'penalty': penalties.PENALTIES[penalty](
          prior, latents, **penalty_options or {}),
      'spec': base.Spec(shape, bounded, binary, steps_per_epoch)}
  return make(*(parts[part] for part in options.needs(make)), **given)


def loss(made, variables, x, seed=1, step=0):
  """The loss, compiled: its value and the metrics."""
  value, (_, metrics) = jax.jit(made.loss)(
      variables, x, jax.random.key(seed), step)
  return value, metrics


def gradient(made, variables, x, seed=1):
  """The gradient of the loss by the parameters of all players."""
  return jax.jit(jax.grad(lambda p: made.loss(
      variables._replace(params=p), x, jax.random.key(seed), 0)[0]))(
          variables.params)
