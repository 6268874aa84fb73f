"""The protocol of every network."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import errors, options
from swae_jax.networks import NETWORKS

D = 5
SHAPES = [(28, 28, 1), (32, 32, 3), (64, 64, 3), (8, 8, 1), (8, 12, 3)]
SMALL = {'dcgan': (28, 28, 1)}  # Else the fourth; dcgan takes the first three.
OPTIONS = {'dcgan': {'filters': 8}}


def shapes_of(module, x):
  """Shapes of the output and of the parameters; nothing is computed."""
  out, variables = jax.eval_shape(
      lambda x: module.init_with_output(jax.random.key(0), x),
      jax.ShapeDtypeStruct(x, jnp.float32))
  assert all(o.dtype == jnp.float32 for o in out)
  return [o.shape for o in out], variables['params']


def size(params):
  return sum(p.size for p in jax.tree.leaves(params))


@pytest.mark.parametrize('name, shape', [
    (name, shape) for name in NETWORKS
    for shape in SHAPES[:3 if name == 'dcgan' else 5]], ids=str)
def test_shapes(name, shape):
  net = NETWORKS[name](shape)
  out, _ = shapes_of(net.encoder(D, 2), (3, *shape))
  assert out == [(3, D), (3, 2)]
  out, _ = shapes_of(net.decoder(shape[-1], 7), (3, D))
  assert out == [(3, *shape), (3, *shape[:2], 7)]


@pytest.mark.parametrize('name', NETWORKS)
def test_heads_have_parameters_of_their_own(name):
  shape = SMALL.get(name, (8, 8, 1))
  net = NETWORKS[name](shape)
  for make, x in ((net.encoder, (1, *shape)), (net.decoder, (1, D))):
    one, two = (shapes_of(make(*heads), x)[1] for heads in ((4,), (4, 4)))
    assert len(jax.tree.leaves(two)) > len(jax.tree.leaves(one))
    same = set(one) & set(two)
    assert all(size(one[k]) == size(two[k]) for k in same)


@pytest.mark.parametrize('shape, out', [
    # 2 (k^2 c_in c_out + c_out) a gated convolution, and the same for a gated
    # dense layer: 3200 + 18496 + 102528 + 73856 + 6924 + 294 * 8 + 8, and
    # 5400 + 471968 + 1280 + 3 * 73856 + 64.
    (('gated_conv', (28, 28, 1), 8), (207364, 700280)),
    # Three input channels add 6272; 1536 numbers reach the linear layer, and
    # 300 * 12288 weights leave the gated one.
    (('gated_conv', (64, 64, 3), 8),
     (207364 + 6272 + (1536 - 294) * 8,
      700280 + 2 * 301 * (12288 - 784) + 2 * 9 * 2 * 64 + 2 * 64)),
    # Kolouri et al. 2018 print these numbers.
    (('avgpool', (28, 28, 1), 2), (203250, 308193)),
    # 1800 + 180600 + 602, both ways.
    (('mlp', (1, 1, 2), 2), (183002, 183002)),
], ids=lambda c: str(c[0]))
def test_counts(shape, out):
  name, shape, latents = shape
  net = NETWORKS[name](shape)
  _, encoder = shapes_of(net.encoder(latents), (1, *shape))
  _, decoder = shapes_of(net.decoder(shape[-1]), (1, latents))
  assert (size(encoder), size(decoder)) == out


@pytest.mark.parametrize('name', NETWORKS)
def test_an_example_does_not_see_the_others(name):
  shape = SMALL.get(name, (8, 8, 1))
  module = NETWORKS[name](shape, **OPTIONS.get(name, {})).encoder(D)
  x = jax.random.normal(jax.random.key(0), (4, *shape))
  rng = np.random.default_rng(0)  # Compiles faster than the initial values.
  shapes = jax.eval_shape(module.init, jax.random.key(1), x)
  variables = jax.tree.map(
      lambda p: (rng.normal(size=p.shape) * (2 / p.size * p.shape[-1])**.5
                 ).astype('float32'), shapes)
  if 'batch_stats' in variables:  # Variances are positive.
    variables['batch_stats'] = jax.tree.map(np.abs, variables['batch_stats'])
  apply = jax.jit(module.apply)
  whole, = apply(variables, x)
  parts = [apply(variables, part)[0] for part in (x[:1], x[1:])]
  np.testing.assert_allclose(whole, jnp.concatenate(parts), rtol=1e-4,
                             atol=1e-4)
  assert jnp.std(whole, axis=0).min() > 1e-2


@pytest.mark.parametrize('side', range(4, 68, 4))
def test_avgpool_takes_every_multiple_of_4(side):
  shape = (side, 68 - side, 1)
  out, _ = shapes_of(NETWORKS['avgpool'](shape).decoder(1), (2, D))
  assert out == [(2, *shape)]


@pytest.mark.parametrize('shape, said', [
    ((28, 30, 1), 'images of 28x30.* 28 or 32 instead of 30'),
    ((2, 8, 1), 'images of 2x8.* 4 instead of 2'),
    ((1, 1, 2), 'images of 1x1')])
def test_avgpool_refuses_the_rest(shape, said):
  with pytest.raises(errors.UserError, match=said):
    NETWORKS['avgpool'](shape)


@pytest.mark.parametrize('name, option, said', [
    ('dcgan', {'filters': 0}, 'filters=0: it must be at least 8'),
    ('dcgan', {'filters': 12}, 'filters=12: .* a multiple of 8'),
    ('mlp', {'depth': 0}, r'depth=0: it must lie in \[1, 1000\]'),
    ('avgpool', {'channels': 0}, 'channels=0'),
    ('gated_conv', {'hidden': .5}, 'hidden=0.5: it must be a whole number')])
def test_options_out_of_range_are_refused(name, option, said):
  with pytest.raises(errors.UserError, match=f'--config.network.{name}.{said}'):
    options.check(f'config.network.{name}', options.of(NETWORKS[name]), option)
