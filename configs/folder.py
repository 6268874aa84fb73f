"""Your own pictures: a folder, with a subfolder for each class or with none.

python -m swae_jax.main --config=configs/folder.py --config.data.dir=DIR

At 64x64 in colour; grey at 32x32: --config.data.size=32
--config.data.channels=1.  Named 'folder-swae': give each set its --workdir.
"""
from configs import systems

OVERRIDES = {
    # For folders of some hundred pictures, too.
    '': {'latents': 64, 'train.batch_size': 100},
    'swae/reference_code': {'objective.mean_floor': 1 / 512},
    'wae_gan/reference_code': {'objective.pretrain_examples': 256},
    'wae_mmd/reference_code': {'objective.pretrain_examples': 256},
}


def get_config(system='swae'):
  """All options for a folder of pictures."""
  return systems.get_config('folder', system, OVERRIDES)
