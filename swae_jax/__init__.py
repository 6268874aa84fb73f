"""Wasserstein-type autoencoders in JAX and Flax."""
from typing import Any

__version__ = '0.1.0'

# Loaded at their first use, so `import swae_jax.losses` needs jax alone.
_LAZY = ('load', 'losses', 'priors')


def __getattr__(name: str) -> Any:
  if name not in _LAZY:
    raise AttributeError(f'swae_jax has no {name!r}')
  # `from swae_jax import ...` would call this function again.
  import swae_jax.errors as errors
  try:
    if name == 'losses':
      import swae_jax.losses as module
    elif name == 'priors':
      import swae_jax.priors as module
    else:
      import swae_jax.model as module
  except ModuleNotFoundError as e:
    raise errors.missing(e.name) or e from None
  return module if name in ('losses', 'priors') else getattr(module, name)


def __dir__() -> list[str]:
  return sorted([*globals(), *_LAZY])
