"""COIL-20, 32x32 grey, as in Sun & Guo 2021.

python -m swae_jax.main --config=configs/coil20.py --config.data.dir=DIR

The default is 80 latents; the paper also reports 8 and 40: --config.latents=8.
There are 1040 training images, so 200 epochs are 2,000 steps.
"""
from swae_jax.training import presets

COMMON = {'latents': 80, 'train.epochs': 200}
# Grey levels at the start of the pseudo-inputs, in the released codes of Sun &
# Guo 2021 and of Tomczak & Welling 2018.
NOISE = {'start_mean': .5, 'start_std': .02}

# The 20 epochs of the preset have two batches each, only 40 steps.
LONG = {'train.epochs': 200}

SETTINGS = {
    'sliced': {**presets.SLICED, **LONG},
    'sliced/reference_code': {**presets.SLICED_CODE, **LONG},
    'mim/reference_code': {
        **presets.MIM_CODE,
        **{f'system.mim.{k}': v for k, v in NOISE.items()}},
    'swae/reference_code': {
        **presets.SWAE_CODE, 'system.swae.mean_floor': 1 / 512},
    'vampprior/reference_code': {
        **presets.VAMPPRIOR_CODE,
        **{f'system.vampprior.{k}': v for k, v in NOISE.items()}},
}


def get_config(setting='swae'):
  """Every option of a setting on COIL-20."""
  return presets.get_config('coil20', setting, SETTINGS, COMMON)
