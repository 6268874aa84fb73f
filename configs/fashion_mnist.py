"""Fashion-MNIST, binarised afresh at each step, as in paper 000.

python -m swae_jax.main --config=configs/fashion_mnist.py --config.data.dir=DIR
"""
from configs import systems

OVERRIDES = {
    'swae': {'objective.components': 4000},  # Appendix A.3.
}


def get_config(system='swae'):
  """All options for Fashion-MNIST."""
  return systems.get_config('fashion_mnist', system, OVERRIDES)
