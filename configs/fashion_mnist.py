"""Fashion-MNIST, binarised anew at each step, as in Sun & Guo 2021.

python -m swae_jax.main --config=configs/fashion_mnist.py --config.data.dir=DIR
"""
from swae_jax.training import presets

GREY = {'data.fashion_mnist.binarize': False}

SETTINGS = {
    # Appendix A.3 of Sun & Guo 2021.
    'swae': {**presets.SWAE, 'system.swae.components': 4000},
    'swae/reference_code': {
        **presets.SWAE_CODE, 'system.swae.components': 4000},
    # The codes of Kolouri et al. 2018 and of Tolstikhin et al. 2018 use grey
    # images.
    'sliced': {**presets.SLICED, **GREY},
    'sliced/reference_code': {**presets.SLICED_CODE, **GREY},
    'wae_gan/reference_code': {**presets.WAE_GAN_CODE, **GREY},
    'wae_mmd/reference_code': {**presets.WAE_MMD_CODE, **GREY},
}


def get_config(setting='swae'):
  """Every option of a setting on Fashion-MNIST."""
  return presets.get_config('fashion_mnist', setting, SETTINGS)
