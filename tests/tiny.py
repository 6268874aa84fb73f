"""Runs of seconds, of each setting, on the digits."""
from configs import digits
from swae_jax.training import config as config_lib

WITH_PSEUDO_INPUTS = ('swae', 'vampprior', 'mim')


def config(setting='swae', options=None, **train):
  """A config with every path of the real ones, and next to no arithmetic.

  Args:
    setting: such as 'wae_mmd' or 'swae/reference_code'.
    options: {option: value} of anything else, such as {'prior.name': 'ring'}.
    **train: options of config.train.
  """
  made = digits.get_config(setting)
  if 'network.name' not in (options or {}):
    made.network.name = 'mlp'
    made.network.mlp.hidden = 8
  made.latents = 2
  made.devices = 1
  if made.system.name in WITH_PSEUDO_INPUTS:
    made.system[made.system.name].components = 20
  if made.penalty.name == 'gan' and made.system.name == 'wae':
    made.penalty.gan.update(width=32, depth=1)
  made.train.update({
      'batch_size': 32, 'steps': 10, 'log_every': 2, 'save_every': 5,
      'valid_every': 0, 'select': 'last', 'patience': 0, **train})
  for name, section in made.evals.items():
    section.run = name in ('reconstruction', 'samples')
  for option, value in (options or {}).items():
    config_lib.put(made, option, value)
  return made
