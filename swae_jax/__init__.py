"""Wasserstein-type autoencoders in JAX."""
import importlib

# Loaded when first named, so that `import swae_jax.losses` needs jax alone.
_MODULES = ('losses', 'priors')


def __getattr__(name):
  if name in _MODULES:
    return importlib.import_module(f'swae_jax.{name}')
  raise AttributeError(f'swae_jax has no module {name!r}')


def __dir__():
  return sorted([*globals(), *_MODULES])
