"""The 8x8 digits of scikit-learn: the data set that needs no file.

python -m swae_jax.main --config=configs/digits.py

The default is the symmetric SWAE with 8 latents, which trains in less than a
minute on two CPU cores.  Other settings:
--config=configs/digits.py:wae_mmd, :wae_gan, :sliced, :ae, :vae, :vampprior,
:mim.
"""
from swae_jax.training import presets

# On 8x8 pixels a perceptron learns more in seconds than the convolutional
# networks of the papers learn in minutes.
MLP = {
    'network.name': 'mlp',
    'train.epochs': 200,
    'train.save_every': 600,
}
FEW = {'train.valid_every': 0, 'train.select': 'last'}

SETTINGS = {
    name: {**preset, **({} if name == 'vae/flax_example' else MLP)}
    for name, preset in presets.SETTINGS.items()}
# 200 of the 1297 training images start the components of the prior.
for system in ('swae', 'vampprior', 'mim'):
  for name in (system, f'{system}/reference_code'):
    SETTINGS[name][f'system.{system}.components'] = 200
SETTINGS['swae'].update(FEW)
SETTINGS['swae/reference_code']['system.swae.mean_floor'] = 1 / 512


def get_config(setting='swae'):
  """Every option of a setting on the digits."""
  return presets.get_config('digits', setting, SETTINGS)
