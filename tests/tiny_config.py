"""A config file for tests of the command: tiny_config.py:<system>."""
import tiny


def get_config(system='swae'):
  return tiny.config(system)
