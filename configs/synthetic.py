"""The two drawn sets of the papers' illustrations, on a multilayer perceptron.

python -m swae_jax.main --config=configs/synthetic.py:gmm
  Symmetric SWAE, 2 latents, on the Gaussian mixture of paper 000's figure 1.
python -m swae_jax.main --config=configs/synthetic.py:swiss_roll
  Sliced SWAE into the uniform square, as in paper 003's figure 7.
"""
from configs import base, systems
from swae_jax import errors, networks, priors, systems


def gmm():
  """Symmetric SWAE on five modes in ten dimensions."""
  config = systems.get_config('gmm', 'swae')
  config.objective.update(components=500, logvar_min=-9., logvar_max=-3.2)
  return config


def swiss_roll():
  """Sliced SWAE that unrolls a surface into a square."""
  config = systems.get_config('swiss_roll', 'sliced')
  config.objective = base.options(
      systems.OBJECTIVES, 'sliced', cost='squared', weight=10.)
  config.prior = base.options(priors.PRIORS, 'uniform')
  config.optimizers.model = base.optimizer()
  return config


SETS = {'gmm': gmm, 'swiss_roll': swiss_roll}


def get_config(name='gmm'):
  """All options for a drawn set."""
  if name not in SETS:
    raise errors.UserError(
        f'no drawn set {name!r}; there are {", ".join(SETS)}')
  config = SETS[name]()
  config.latents = 2
  config.network = base.options(networks.NETWORKS, 'mlp')
  config.train.update(batch_size=500, epochs=100, save_every=500)
  return config
