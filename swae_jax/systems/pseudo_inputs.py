"""Learned inputs, whose codes make up a prior."""
from flax import linen as nn
import jax
import jax.numpy as jnp

from swae_jax import errors
from swae_jax.systems import base


def parameter(module, components, shape):
  """The parameter of `module` that `starter` gives its values.  [K, ...]."""
  return module.param(
      'pseudo_inputs', nn.initializers.zeros, (components, *shape))


def inside(u, bounded):
  """Pseudo-inputs in the range of the data.  [..., H, W, C].

  A pixel beyond the range has no gradient, and one exactly at its end half.
  """
  return jnp.clip(u, 0., 1.) if bounded else u


def from_data(key, x, components, mean, std):
  """The first training images, and a little noise.  [K, H, W, C]."""
  del mean
  if x.shape[0] < components:
    raise errors.UserError(
        f'components={components}: pseudo-inputs that start at training images '
        f'need as many, and there are {x.shape[0]}; set components to at most '
        "that, or start='noise'")
  x = x[:components]
  return x + std * jax.random.normal(key, x.shape, x.dtype)


def from_noise(key, x, components, mean, std):
  """Normal noise around a grey.  [K, H, W, C]."""
  shape = (components, *x.shape[1:])
  return mean + std * jax.random.normal(key, shape, x.dtype)


STARTS = {'data': from_data, 'noise': from_noise}


def starter(model, components, start, mean, std):
  """System.init and System.examples of a model with pseudo-inputs."""
  if components < 1:
    raise errors.UserError(
        f'components={components}: it must be at least 1')
  start_at = base.choice(STARTS, 'start', start)

  def init(key, x):
    model_key, start_key = jax.random.split(key)
    u = start_at(start_key, x, components, mean, std)
    variables = base.init(model, model_key, x[:2])
    # Not in the module: Flax evaluates an initialiser again at every call.
    return variables._replace(params={
        'model': {**variables.params['model'], 'pseudo_inputs': u}})

  return init, components if start == 'data' else 1
