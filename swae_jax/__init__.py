"""Wasserstein-type autoencoders in JAX."""
import importlib

__version__ = '0.1.0'

# Loaded when first named, so that `import swae_jax.losses` needs jax alone.
_MODULES = ('losses', 'priors')
_FUNCTIONS = {'load': 'model'}  # By name: the module that has it.


def __getattr__(name):
  if name in _MODULES:
    return importlib.import_module(f'swae_jax.{name}')
  if name in _FUNCTIONS:
    module = importlib.import_module(f'swae_jax.{_FUNCTIONS[name]}')
    return getattr(module, name)
  raise AttributeError(f'swae_jax has no {name!r}')


def __dir__():
  return sorted([*globals(), *_MODULES, *_FUNCTIONS])
