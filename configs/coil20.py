"""COIL-20, 32x32 grey, as in paper 000.

python -m swae_jax.main --config=configs/coil20.py --config.data.dir=DIR

80 latents; paper 000 also has 8 and 40: --config.latents=8.
"""
from configs import systems

OVERRIDES = {
    '': {'latents': 80, 'train.batch_size': 100, 'train.epochs': 200},
    'swae': {'objective.components': 500},  # Of 1040 training images.
    'swae/reference_code': {'objective.mean_floor': 1 / 512},
}


def get_config(system='swae'):
  """All options for COIL-20."""
  return systems.get_config('coil20', system, OVERRIDES)
