"""Runs of seconds, of each system, on the digits."""
from configs import base, systems
from swae_jax import networks


def config(system='swae', **train):
  """A config with every path of the real ones, and next to no arithmetic."""
  config = systems.get_config('digits', system)
  config.network = base.options(networks.NETWORKS, 'mlp')
  config.network.hidden = 8
  config.latents = 2
  config.devices = 1
  if 'components' in config.system:
    config.system.components = 20
  if 'critic' in config.optimizers:
    config.system.update(width=32, depth=1)
  config.train.update({
      'batch_size': 32, 'steps': 10, 'log_every': 2, 'save_every': 5,
      'valid_every': 0, 'select': 'last', **train})
  for name, section in config.evals.items():
    section.run = name in ('reconstruction', 'samples')
  return config
