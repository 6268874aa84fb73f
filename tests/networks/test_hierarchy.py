"""Modules for two levels of codes, and the kinds of perceptrons."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax.networks import NETWORKS

D, SHAPE = 5, (8, 12, 3)
OFFERED = [name for name in NETWORKS if name in ('gated_conv', 'mlp')]


def inputs():
  rng = np.random.default_rng(0)
  draw = lambda *shape: rng.normal(size=shape).astype('float32')
  return draw(3, *SHAPE), draw(3, D), draw(3, D)


def outputs(module, *args):
  return jax.jit(lambda *args: module.init_with_output(
      jax.random.key(0), *args)[0])(*args)


@pytest.mark.parametrize('name', [pytest.param(
    name, marks=pytest.mark.slow if name == 'gated_conv' else ())
                                  for name in OFFERED])
def test_every_input_counts(name):
  two = NETWORKS[name](SHAPE).hierarchy
  x, z1, z2 = inputs()
  for module, args, shapes in [
      (two.encoder(D, 2), (x, z2), [(3, D), (3, 2)]),
      (two.conditional(D, 2), (z2,), [(3, D), (3, 2)]),
      (two.decoder(3, 1), (z1, z2), [(3, *SHAPE), (3, *SHAPE[:2], 1)])]:
    plain = outputs(module, *args)
    assert [y.shape for y in plain] == shapes
    for i in range(len(args)):
      # Only one example changes; the others stay as they are.
      other = [a.copy() for a in args]
      other[i][0] += 2
      for a, b in zip(plain, outputs(module, *other), strict=True):
        assert abs(a[0] - b[0]).max() > 1e-4
        np.testing.assert_allclose(a[1:], b[1:], atol=1e-5)


def count(module, *shapes):
  variables = jax.eval_shape(
      module.init, jax.random.key(0),
      *(jax.ShapeDtypeStruct((1, *s), jnp.float32) for s in shapes))
  return sum(p.size for p in jax.tree.leaves(variables))


def test_counts_of_the_convolutional():
  """The count for a binary 28 x 28 image and 40 latents on each level."""
  two, code = NETWORKS['gated_conv']((28, 28, 1)).hierarchy, (40,)
  gated = lambda inputs, features: 2 * (inputs + 1) * features
  stack = (gated(9, 32) + gated(9 * 32, 32) + gated(9 * 32, 64)
           + gated(9 * 64, 64) + gated(9 * 64, 6))
  heads = 2 * 301 * 40
  assert count(two.encoder(40, 40), (28, 28, 1), code) == (
      stack + gated(40, 294) + gated(2 * 294, 300) + heads)
  assert count(two.conditional(40, 40), code) == (
      gated(40, 300) + gated(300, 300) + heads)
  assert count(two.decoder(1), code, code) == (
      2 * gated(40, 300) + gated(600, 784) + gated(9, 64)
      + 3 * gated(9 * 64, 64) + 64)


def test_other_families_have_one_level():
  assert all(NETWORKS[name]((28, 28, 1)).hierarchy is None
             for name in NETWORKS if name not in OFFERED)


@pytest.mark.parametrize('gated', [True, False])
@pytest.mark.parametrize('depth', [1, 3])
def test_perceptron(gated, depth):
  module = NETWORKS['mlp'](SHAPE, hidden=4, depth=depth, gated=gated).encoder(D)
  x, *_ = inputs()
  y, variables = jax.jit(lambda x: module.init_with_output(
      jax.random.key(0), x))(x)
  params = variables['params']
  affine = lambda layer, h: (
      h @ np.float64(layer['kernel']) + layer['bias'][None])
  h = np.float64(x.reshape(3, -1))
  for i in range(depth):
    if gated:
      layer = params[f'GatedDense_{i}']
      h = affine(layer['h'], h) / (1 + np.exp(-affine(layer['g'], h)))
    else:
      h = affine(params[f'Dense_{i}'], h).clip(0)
  last = params['Dense_0' if gated else f'Dense_{depth}']
  np.testing.assert_allclose(y[0], affine(last, h), rtol=1e-4, atol=1e-5)
