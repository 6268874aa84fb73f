"""scikit-learn's 8x8 digits: the set that needs no file.

python -m swae_jax.main --config=configs/digits.py

Symmetric SWAE, 8 latents: TIME; EXPECTED.
Others: --config=configs/digits.py:wae_mmd, :sliced.
"""
from configs import base


def get_config(system='swae'):
  """All options for the digits."""
  config = base.get_config('digits', system)
  if 'components' in config.objective:
    config.objective.components = 200  # Of 1297 training images.
  config.train.batch_size = 100
  config.train.epochs = 60
  config.train.save_every = 120
  return config
