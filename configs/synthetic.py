"""Points drawn from a law, with a multilayer perceptron: the papers' figures.

python -m swae_jax.main --config=configs/synthetic.py:gmm
  Symmetric SWAE, 2 latents, on the Gaussian mixture of figure 1 of Sun & Guo
  2021.
python -m swae_jax.main --config=configs/synthetic.py:swiss_roll
  Sliced autoencoder into the uniform square, as in figure 7 of Kolouri et al.
  2018.
"""
from swae_jax.training import presets

COMMON = {'train.save_every': 500}
MLP = {
    'latents': 2,
    'network.name': 'mlp',
    'optimizers.model.name': 'adam',
    'train.batch_size': 500,
    'train.epochs': 100,
}

SETTINGS = {
    'gmm': {
        **presets.SWAE, **MLP,
        'optimizers.model.name': 'adam_norm_grad',
        'system.swae.components': 500,
        'system.swae.logvar_min': -9.,
        'system.swae.logvar_max': -3.2,
    },
    'swiss_roll': {
        **presets.SLICED, **MLP,
        'system.wae.cost': 'squared',
        'prior.name': 'uniform',
    },
}


def get_config(setting='gmm'):
  """Every option of a setting on its set of points."""
  dataset = setting if setting in SETTINGS else 'gmm'
  return presets.get_config(dataset, setting, SETTINGS, COMMON)
