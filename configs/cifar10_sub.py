"""Birds, cats and ships of CIFAR-10, as in Sun & Guo 2021.

python -m swae_jax.main --config=configs/cifar10_sub.py --config.data.dir=DIR

The default is 512 latents; the paper also reports 80 and 256:
--config.latents=80.
"""
from swae_jax.training import presets

COMMON = {'latents': 512}
# Grey levels at the start of the pseudo-inputs, in the released codes of Sun &
# Guo 2021 and of Tomczak & Welling 2018.
NOISE = {'start_mean': .4, 'start_std': .05}

SETTINGS = {
    'mim/reference_code': {
        **presets.MIM_CODE,
        **{f'system.mim.{k}': v for k, v in NOISE.items()}},
    'swae': {**presets.SWAE, 'system.swae.components': 4000},
    'swae/reference_code': {
        **presets.SWAE_CODE, 'system.swae.components': 4000,
        'system.swae.mean_floor': 1 / 512},
    'vampprior/reference_code': {
        **presets.VAMPPRIOR_CODE,
        **{f'system.vampprior.{k}': v for k, v in NOISE.items()}},
}


def get_config(setting='swae'):
  """Every option of a setting on the three classes of CIFAR-10."""
  return presets.get_config('cifar10_sub', setting, SETTINGS, COMMON)
