"""Learned pseudo-inputs u_1 ... u_K, whose codes make up a prior.

The systems with pseudo-inputs share these options:

  components  K, the number of pseudo-inputs
  start       'data': pseudo-inputs start at the first K training images plus
              noise; 'noise': pseudo-inputs start at noise around `start_mean`
  start_mean  mean of the noise, for 'noise'
  start_std   standard deviation of the noise, for 'data' and 'noise'
"""
from collections.abc import Callable, Sequence

from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax import errors
from swae_jax.systems import base


def parameter(module: nn.Module, components: int,
              shape: Sequence[int]) -> jax.Array:
  """The parameter of `module` whose values `starter` sets.  [K, ...]."""
  return module.param(
      'pseudo_inputs', nn.initializers.zeros, (components, *shape))


def inside(u: jax.Array, bounded: bool) -> jax.Array:
  """Pseudo-inputs clipped to the range of the data.  [..., H, W, C].

  A pixel beyond the range has no gradient, and a pixel at either end of the
  range has half its gradient.
  """
  return jnp.clip(u, 0., 1.) if bounded else u


def from_data(key: jax.Array, x: jax.Array, components: int, mean: float,
              std: float) -> jax.Array:
  """Starts at the first K images of x plus a little noise.  [K, H, W, C]."""
  del mean
  if x.shape[0] < components:
    raise errors.UserError(
        f'components={components}: there are {x.shape[0]} training images, '
        'and each pseudo-input starts at an image of its own; give '
        f'components={x.shape[0]} or fewer, or start=noise')
  x = x[:components]
  return x + std * jax.random.normal(key, x.shape, x.dtype)


def from_noise(key: jax.Array, x: jax.Array, components: int, mean: float,
               std: float) -> jax.Array:
  """Starts at normal noise around the grey `mean`.  [K, H, W, C]."""
  shape = (components, *x.shape[1:])
  return mean + std * jax.random.normal(key, shape, x.dtype)


STARTS = {'data': from_data, 'noise': from_noise}


def starter(model: nn.Module, components: int, start: str, mean: float,
            std: float) -> tuple[Callable, int]:
  """Returns `System.init` and `System.examples` for pseudo-inputs."""
  def init(key: jax.Array, x: jax.Array) -> base.Variables:
    model_key, start_key = jax.random.split(key)
    u = STARTS[start](start_key, x, components, mean, std)
    variables = base.init(model, model_key, x[:2])
    # The module cannot set u: Flax runs an initialiser again at every call.
    return variables._replace(params={
        'model': {**variables.params['model'], 'pseudo_inputs': u}})

  return init, components if start == 'data' else 1
