"""A config file for --mode=eval; saved_config.py:WORKDIR reads the run's."""
from swae_jax.training import config as config_lib
from swae_jax.workdir import folder, storage


def get_config(workdir):
  """Every option, as the run in a workdir has it."""
  return config_lib.restore(
      folder.read_config(storage.path(workdir)).to_dict())
