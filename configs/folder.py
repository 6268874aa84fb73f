"""Your own pictures: a folder, with a subfolder for each class or without.

python -m swae_jax.main --config=configs/folder.py --config.data.dir=DIR

The pictures become 64x64 in colour; for grey at 32x32:
--config.data.folder.size=32 --config.data.folder.channels=1.  The run is named
'folder-swae'; give a --workdir for each set of pictures.
"""
from swae_jax.training import presets

# Where there are fewer training pictures than the batch or the prior takes,
# these numbers become the number of pictures.
COMMON = {'latents': 64, 'fit': True}
FEW = {'system.wae.pretrain_examples': 256}

# With some hundred pictures, an epoch is a few batches.
LONG = {'train.epochs': 200}

SETTINGS = {
    'sliced': {**presets.SLICED, **LONG},
    'sliced/reference_code': {**presets.SLICED_CODE, **LONG},
    'swae': {**presets.SWAE, 'system.swae.components': 100},
    'swae/reference_code': {
        **presets.SWAE_CODE, 'system.swae.components': 100,
        'system.swae.mean_floor': 1 / 512},
    'vampprior': {**presets.VAMPPRIOR, 'system.vampprior.components': 100},
    'mim': {**presets.MIM, 'system.mim.components': 100},
    'wae_gan/reference_code': {**presets.WAE_GAN_CODE, **FEW},
    'wae_mmd/reference_code': {**presets.WAE_MMD_CODE, **FEW},
}


def get_config(setting='swae'):
  """Every option of a setting on a folder of pictures."""
  return presets.get_config('folder', setting, SETTINGS, COMMON)
