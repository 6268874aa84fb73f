import functools

import jax
import numpy as np
import pytest

from swae_jax.networks import flow

B, N = 7, 4
RNG = np.random.default_rng(0)
CONTEXT = RNG.normal(size=(B, N)).astype('float32')


@functools.cache
def bent(d, layers=3):
  """A flow with parameters of its own, and samples of a normal law."""
  module = flow.Flow(layers, hidden=8)
  z = RNG.normal(size=(B, d)).astype('float32')
  start = module.init(jax.random.key(0), z, CONTEXT)
  params = jax.tree.map(
      lambda p: p + .5 * RNG.normal(size=p.shape).astype('float32'), start)
  return module, z, start, params


def inverse(params, y, context, layers):
  """From the last layer to the first, in float64."""
  params = jax.tree.map(np.float64, params)
  for i in reversed(range(layers)):
    first, second = (params['params'][f'Dense_{2 * i + j}'] for j in (0, 1))
    kept = np.arange(y.shape[1]) % 2 == i % 2
    seen = np.concatenate([np.where(kept, y, 0), context], axis=1)
    hidden = np.maximum(seen @ first['kernel'] + first['bias'], 0)
    out = hidden @ second['kernel'] + second['bias']
    scale, shift = out[:, :y.shape[1]], out[:, y.shape[1]:]
    y = np.where(kept, y, (y - shift) * np.exp(-np.tanh(scale)))
  return y


@pytest.mark.parametrize('d', [1, 2, 5])
def test_inverse(d):
  module, z, _, params = bent(d)
  y = jax.jit(module.apply)(params, z, CONTEXT)
  assert (np.abs(y - z).max(0) > .1).all()  # It reaches every axis.
  np.testing.assert_allclose(
      inverse(params, np.float64(y), CONTEXT, 3), z, atol=1e-4)


def test_identity_at_the_start():
  module, z, start, _ = bent(5)
  np.testing.assert_array_equal(
      jax.jit(module.apply)(start, z, CONTEXT), z)


def test_the_context_and_the_other_axes_bend_each_example_alone():
  module, z, _, params = bent(5)
  apply = jax.jit(module.apply)
  y = apply(params, z, CONTEXT)
  context = CONTEXT.copy()
  context[0, 0] += 1
  moved = np.abs(apply(params, z, context) - y).max(1) > 1e-3
  assert moved[0] and not moved[1:].any()
  # dy_i / dz_j is no diagonal matrix: more than a rescaled normal law.
  jacobian = jax.jacobian(
      lambda row: module.apply(params, row[None], CONTEXT[:1])[0])(z[0])
  assert np.abs(jacobian - np.diag(np.diag(jacobian))).max() > .1
