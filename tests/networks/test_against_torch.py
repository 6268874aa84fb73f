"""Whole networks against the same layers of PyTorch."""
import jax
import numpy as np
import pytest

from swae_jax.networks import NETWORKS

torch = pytest.importorskip('torch')
F = torch.nn.functional


def tensor(x):
  return torch.from_numpy(np.array(x))


def conv(x, layer, **options):
  """x [B, C, H, W]."""
  bias = tensor(layer['bias']) if 'bias' in layer else None
  return F.conv2d(x, tensor(layer['kernel']).permute(3, 2, 0, 1), bias,
                  **options)


def dense(x, layer):
  return F.linear(x, tensor(layer['kernel']).T, tensor(layer['bias']))


def gated(fn, x, layer, **options):
  return fn(x, layer['h'], **options) * torch.sigmoid(
      fn(x, layer['g'], **options))


def flat(x):
  return x.permute(0, 2, 3, 1).flatten(1)


def gated_encoder(x, params):
  for i, (stride, padding) in enumerate(
      [(1, 3), (2, 1), (1, 2), (2, 1), (1, 1)]):
    x = gated(conv, x, params[f'GatedConv_{i}'], stride=stride,
              padding=padding)
  return dense(flat(x), params['Dense_0'])


def gated_decoder(z, params, shape):
  for i in range(2):
    z = gated(dense, z, params[f'GatedDense_{i}'])
  x = z.reshape(-1, *shape).permute(0, 3, 1, 2)
  for i in range(4):
    x = gated(conv, x, params[f'GatedConv_{i}'], padding=1)
  return conv(x, params['Conv_0'])


def pooling_encoder(x, params):
  for i in range(6):
    x = F.leaky_relu(conv(x, params[f'Conv_{i}'], padding=1), .2)
    if i % 2:
      x = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
  return dense(F.relu(dense(flat(x), params['Dense_0'])), params['Dense_1'])


def pooling_decoder(z, params, shape):
  z = F.relu(dense(dense(z, params['Dense_0']), params['Dense_1']))
  x = z.reshape(len(z), -(-shape[0] // 8), -(-shape[1] // 8), 64)
  x = x.permute(0, 3, 1, 2)
  for i in range(6):
    padding = tuple(int(n % 8 == 0) for n in shape[:2]) if i == 2 else 1
    if i % 2 == 0:
      x = F.interpolate(x, scale_factor=2, mode='nearest')
    x = F.leaky_relu(conv(x, params[f'Conv_{i}'], padding=padding), .2)
  return conv(x, params['Conv_6'], padding=1)


CASES = [
    ('gated_conv', gated_encoder, gated_decoder, (8, 8, 1)),
    ('gated_conv', gated_encoder, gated_decoder, (9, 14, 3)),
    ('avgpool', pooling_encoder, pooling_decoder, (12, 8, 3)),
]


def run(module, x):
  """The output for random parameters, biases too, and these."""
  shapes = jax.eval_shape(module.init, jax.random.key(0), x)
  rng = np.random.default_rng(0)
  variables = jax.tree.map(
      lambda p: (rng.normal(size=p.shape) * (2 / p.size * p.shape[-1])**.5
                 ).astype('float32'), shapes)
  y, = jax.jit(module.apply)(variables, x)
  return y, variables['params']


@pytest.mark.parametrize('name, encoder, decoder, shape', CASES)
def test_same_as_torch(name, encoder, decoder, shape):
  net = NETWORKS[name](shape)
  x = np.random.default_rng(0).normal(size=(2, *shape)).astype('float32')
  y, params = run(net.encoder(5), x)
  reference = encoder(tensor(x).permute(0, 3, 1, 2), params)
  np.testing.assert_allclose(y, reference, rtol=1e-4, atol=1e-5)
  z = np.random.default_rng(1).normal(size=(2, 5)).astype('float32')
  y, params = run(net.decoder(shape[-1]), z)
  reference = decoder(tensor(z), params, shape).permute(0, 2, 3, 1)
  np.testing.assert_allclose(y, reference, rtol=1e-4, atol=1e-5)
