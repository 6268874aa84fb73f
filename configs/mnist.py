"""MNIST, binarised anew at each step, as in Sun & Guo 2021.

python -m swae_jax.main --config=configs/mnist.py --config.data.dir=DIR

The default is the symmetric SWAE with 8 latents.  With 500 pseudo-inputs, 2
epochs take half an hour on two CPU cores and give knn5_accuracy .930 and
reconstruction_error 29.0 on the 10,000 test images (one seed).  Sun & Guo 2021
train for longer and report .97 and 23.2.  Other settings:
--config=configs/mnist.py:wae_mmd, :wae_gan, :sliced, :ae, :vae, :vampprior,
:mim.
"""
from swae_jax.training import presets

GREY = {'data.mnist.binarize': False}

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
  """Every option of a setting on MNIST."""
  return presets.get_config('mnist', setting, SETTINGS)
