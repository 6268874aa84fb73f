"""The networks of WAE, and the critic of its adversarial form."""
import functools
import re

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import numpy as np
import pytest

from swae_jax import errors
from swae_jax.networks import critic, dcgan

D = 3
# These tests compile for longer than they run.
QUICK = {'xla_backend_optimization_level': 0,
         'xla_llvm_disable_expensive_passes': True}


def drawn(module, x, seed=0):
  """Variables of these shapes, all random, and none but scales positive."""
  shapes = jax.eval_shape(module.init, jax.random.key(0), x)
  rng = np.random.default_rng(seed)

  def one(path, p):
    name = path[-1].key
    if name in ('var', 'scale'):
      return rng.uniform(.5, 2., p.shape).astype('float32')
    fan_in = np.prod(p.shape[:-1]) if name == 'kernel' else 4.
    return (rng.normal(size=p.shape) / fan_in**.5).astype('float32')
  return jax.tree_util.tree_map_with_path(one, shapes)


def apply(module, variables, x, train):
  """Outputs and the statistics after them."""
  return jax.jit(
      lambda v, x: module.apply(v, x, train=train, mutable=['batch_stats']),
      compiler_options=QUICK)(variables, x)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('side, maps, starts', [
    (28, [14, 7, 4, 2], [7, 14, 28]), (32, [16, 8, 4, 2], [8, 16, 32]),
    (64, [32, 16, 8, 4], [8, 16, 32, 64])])
def test_shapes_and_widths(side, maps, starts, channels):
  net = dcgan.make((side, side, channels))
  x = jax.ShapeDtypeStruct((2, side, side, channels), jnp.float32)
  init = lambda module: lambda x: module.init_with_output(jax.random.key(0), x)
  out, encoder = jax.eval_shape(init(net.encoder(D, 5)), x)
  assert [o.shape for o in out] == [(2, D), (2, 5)]
  z = jax.ShapeDtypeStruct((2, D), jnp.float32)
  out, decoder = jax.eval_shape(init(net.decoder(channels, 7)), z)
  assert [o.shape for o in out] == [x.shape, (2, side, side, 7)]
  kernels = lambda variables: {
      name: layer['kernel'].shape for name, layer
      in variables['params'].items() if 'kernel' in layer}
  k = 5 if side == 64 else 4
  assert kernels(encoder) == {
      'Conv_0': (k, k, channels, 128), 'Conv_1': (k, k, 128, 256),
      'Conv_2': (k, k, 256, 512), 'Conv_3': (k, k, 512, 1024),
      'Dense_0': (maps[-1]**2 * 1024, D), 'Dense_1': (maps[-1]**2 * 1024, 5)}
  widths = [1024, 512, 256, 128][:len(starts)]
  steps = [(k, k, i, o) for i, o in zip(widths, widths[1:], strict=False)]
  last = len(steps)
  assert kernels(decoder) == {
      'Dense_0': (D, starts[0]**2 * 1024),
      **{f'ConvTranspose_{i}': shape for i, shape in enumerate(steps)},
      f'ConvTranspose_{last}': (k, k, widths[-1], channels),
      f'ConvTranspose_{last + 1}': (k, k, widths[-1], 7)}
  # Only where no batch normalisation takes a constant away.
  biased = {name for v in (encoder, decoder)
            for name, layer in v['params'].items() if 'bias' in layer}
  assert {n for n in biased if n.startswith('Conv')} == {
      f'ConvTranspose_{last}', f'ConvTranspose_{last + 1}'}


@pytest.mark.parametrize('shape', [(30, 30, 1), (28, 32, 1), (16, 16, 3)])
def test_other_sizes_are_refused(shape):
  said = re.escape(f'images of {shape[0]}x{shape[1]}: the network takes 28x28, '
                   '32x32, ')
  with pytest.raises(errors.UserError, match=said):
    dcgan.make(shape)


def torch_normalized(x, params, stats, train):
  torch = pytest.importorskip('torch')
  t = lambda a: torch.from_numpy(np.array(a))
  mean, var = t(stats['mean']), t(stats['var'])
  if train:
    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
  view = lambda a: a[None, :, None, None]
  y = (x - view(mean)) / torch.sqrt(view(var) + 1e-5)
  y = y * view(t(params['scale'])) + view(t(params['bias']))
  return torch.relu(y), .9 * t(stats['mean']) + .1 * mean


def torch_encoder(x, variables, size, train):
  torch = pytest.importorskip('torch')
  t = lambda a: torch.from_numpy(np.array(a))
  x, params = t(x).permute(0, 3, 1, 2), variables[0]
  for i in range(4):
    total = max(2 * (-(-x.shape[2] // 2) - 1) + size - x.shape[2], 0)
    x = torch.nn.functional.pad(x, (total // 2, total - total // 2) * 2)
    kernel = t(params[f'Conv_{i}']['kernel']).permute(3, 2, 0, 1)
    x = torch.nn.functional.conv2d(x, kernel, stride=2)
    x, mean = torch_normalized(x, *(v[f'BatchNorm_{i}'] for v in variables),
                               train)
  x = x.permute(0, 2, 3, 1).flatten(1)
  return x @ t(params['Dense_0']['kernel']) + t(params['Dense_0']['bias']), mean


def torch_decoder(z, variables, size, train):
  torch = pytest.importorskip('torch')
  t = lambda a: torch.from_numpy(np.array(a))
  params, stats = variables
  dense = params['Dense_0']
  x = torch.relu(t(z) @ t(dense['kernel']) + t(dense['bias']))
  start = 7 if size == 4 else 8
  x = x.reshape(len(z), start, start, -1).permute(0, 3, 1, 2)
  count = len(stats)
  for i in range(count + 1):
    stride = 2 if i < count else 1
    layer = params[f'ConvTranspose_{i}']
    kernel = t(np.array(layer['kernel'])[::-1, ::-1].copy())
    y = torch.nn.functional.conv_transpose2d(
        x, kernel.permute(2, 3, 0, 1), stride=stride)
    # A 'SAME' convolution of the result would pad so much before it.
    low, n = (size - stride) // 2, stride * x.shape[2]
    x = y[:, :, low:low + n, low:low + n]
    if i < count:
      x, mean = torch_normalized(
          x, *(v[f'BatchNorm_{i}'] for v in variables), train)
  return (x + t(layer['bias'])[None, :, None, None]).permute(0, 2, 3, 1), mean


@pytest.mark.parametrize('train', [False, True])
@pytest.mark.parametrize('side, channels', [(28, 1), (64, 3)])
def test_same_as_torch(side, channels, train):
  net, size = dcgan.make((side, side, channels), filters=8), 4 + (side == 64)
  rng = np.random.default_rng(0)
  for module, x, reference in (
      (net.encoder(D), rng.uniform(size=(4, side, side, channels)),
       torch_encoder),
      (net.decoder(channels), rng.normal(size=(4, D)), torch_decoder)):
    x = x.astype('float32')
    variables = drawn(module, x)
    pair = variables['params'], variables['batch_stats']
    (y,), new = apply(module, variables, x, train)
    expected, mean = reference(x, pair, size, train)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    stats = new['batch_stats']
    last = stats[max(stats)]['mean']
    before = variables['batch_stats'][max(stats)]['mean']
    np.testing.assert_allclose(last, mean if train else before, rtol=1e-4,
                               atol=1e-5)


def test_shared_batch():
  """On 8 devices the moments are still those of the whole batch."""
  encoder = dcgan.make((28, 28, 1), filters=8).encoder(D)
  x = np.random.default_rng(0).uniform(size=(16, 28, 28, 1)).astype('float32')
  variables = drawn(encoder, x)

  @functools.partial(jax.jit, compiler_options=QUICK)
  def step(variables, x):
    def loss(params):
      (z,), new = encoder.apply({**variables, 'params': params}, x, train=True,
                                mutable=['batch_stats'])
      return jnp.sum(z**2), new
    return jax.value_and_grad(loss, has_aux=True)(variables['params'])

  with jax.enable_x64(True):  # In float32 a ReLU may flip.
    variables, x = jax.tree.map(lambda a: np.asarray(a, 'float64'),
                                (variables, x))
    one = jax.device_get(step(variables, x))
    mesh = jax.make_mesh((8,), ('data',), (AxisType.Auto,))
    spread = NamedSharding(mesh, PartitionSpec('data'))
    eight = jax.device_get(step(variables, jax.device_put(x, spread)))
  for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(eight), strict=True):
    np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * abs(a).max())


def test_initial_values():
  net = dcgan.make((28, 28, 1), filters=64)
  draw = lambda module, x: jax.device_get(jax.jit(
      module.init, compiler_options=QUICK)(jax.random.key(0), x)['params'])
  for params in (draw(net.encoder(D), jnp.zeros((1, 28, 28, 1))),
                 draw(net.decoder(1), jnp.zeros((1, D)))):
    for name, layer in params.items():
      assert not np.any(layer.get('bias', 0.)), name
      if 'kernel' not in layer:
        assert np.all(layer['scale'] == 1)
        continue
      kernel, normal = layer['kernel'], not name.startswith('Conv_')
      # Cut at two deviations, the deviation is smaller by this.
      sd = .0099999 * (1. if normal else .8796)
      assert abs(kernel.std() / sd - 1) < 4 * kernel.size**-.5, name
      if kernel.size > 1000:
        assert (abs(kernel).max() > .02) == normal, name


def test_critic():
  module = critic.Critic(width=6, depth=3)
  z = np.random.default_rng(0).normal(size=(5, D)).astype('float32')
  variables = drawn(module, z)
  y = z
  for i in range(4):
    layer = variables['params'][f'Dense_{i}']
    y = (np.maximum(y, 0) if i else y) @ layer['kernel'] + layer['bias']
  logits = jax.jit(module.apply)(variables, z)
  assert logits.shape == (5,)
  np.testing.assert_allclose(logits, y[:, 0], rtol=1e-4, atol=1e-5)
  shapes = jax.eval_shape(critic.Critic().init, jax.random.key(0), z)
  assert [layer['kernel'].shape for layer in shapes['params'].values()] == [
      (D, 512), (512, 512), (512, 512), (512, 512), (512, 1)]
