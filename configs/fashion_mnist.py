"""Fashion-MNIST, binarised afresh at each step, as in paper 000.

python -m swae_jax.main --config=configs/fashion_mnist.py --config.data.dir=DIR
"""
from configs import base


def get_config(system='swae'):
  """All options for Fashion-MNIST."""
  config = base.get_config('fashion_mnist', system)
  return config
