"""A config file for tests of the command: tiny_config.py:<setting>."""
import tiny


def get_config(setting='swae'):
  return tiny.config(setting)
