"""The 8x8 digits of scikit-learn: the data set that needs no file.

python -m swae_jax.main --config=configs/digits.py

Symmetric SWAE, 8 latents.  Others: --config=configs/digits.py:wae_mmd,
:wae_gan, :sliced, :ae, :vae, :vampprior, :mim.
"""
from swae_jax.training import presets

COMMON = {'train.epochs': 50, 'train.save_every': 120}

SETTINGS = {
    # There are 1297 training images.
    'mim': {**presets.MIM, 'system.mim.components': 200},
    # On so few pixels Adam alone learns faster.
    'swae': {**presets.SWAE, 'system.swae.components': 200,
             'optimizers.model.name': 'adam'},
    'swae/reference_code': {
        **presets.SWAE_CODE, 'system.swae.components': 200,
        'system.swae.mean_floor': 1 / 512},
    'vampprior': {**presets.VAMPPRIOR, 'system.vampprior.components': 200},
    # The network of Tolstikhin et al. does not take 8x8 pixels.
    'wae_gan': {**presets.WAE_GAN, 'network.name': 'gated_conv'},
    'wae_gan/reference_code': {
        **presets.WAE_GAN_CODE, 'network.name': 'gated_conv'},
    'wae_mmd': {**presets.WAE_MMD, 'network.name': 'gated_conv'},
    'wae_mmd/reference_code': {
        **presets.WAE_MMD_CODE, 'network.name': 'gated_conv'},
}


def get_config(setting='swae'):
  """Every option of a setting on the digits."""
  return presets.get_config('digits', setting, SETTINGS, COMMON)
