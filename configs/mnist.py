"""MNIST, binarised afresh at each step, as in paper 000.

python -m swae_jax.main --config=configs/mnist.py --config.data.dir=DIR
"""
from configs import systems

OVERRIDES = {
    'swae': {'objective.components': 4000},  # Appendix A.3.
    # Their codes have grey images.
    'sliced': {'data.binarize': False},
    'wae_gan/reference_code': {'data.binarize': False},
    'wae_mmd/reference_code': {'data.binarize': False},
}


def get_config(system='swae'):
  """All options for MNIST."""
  return systems.get_config('mnist', system, OVERRIDES)
