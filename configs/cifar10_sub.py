"""Birds, cats and ships of CIFAR-10, as in paper 000.

python -m swae_jax.main --config=configs/cifar10_sub.py --config.data.dir=DIR

512 latents; paper 000 also has 80 and 256: --config.latents=80.
"""
from configs import systems

OVERRIDES = {
    '': {'latents': 512},
    'swae': {'objective.components': 4000},
    'swae/reference_code': {'objective.mean_floor': 1 / 512},
}


def get_config(system='swae'):
  """All options for the three classes of CIFAR-10."""
  return systems.get_config('cifar10_sub', system, OVERRIDES)
