import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax.networks import NETWORKS, layers


def numpy_gated_conv(x, params, stride):
  """By loops, in float64."""
  def conv(kernel, bias):
    size = kernel.shape[0]
    padded = np.pad(np.float64(x), ((0, 0), *[(size // 2, size // 2)] * 2,
                                    (0, 0)))
    rows, cols = (-(-n // stride) for n in x.shape[1:3])
    y = np.zeros((len(x), rows, cols, kernel.shape[-1]))
    for i in range(rows):
      for j in range(cols):
        window = padded[:, i * stride:i * stride + size,
                        j * stride:j * stride + size]
        y[:, i, j] = np.einsum('bhwc,hwco->bo', window, kernel) + bias
    return y
  h, g = (conv(**params[name]) for name in 'hg')
  return h / (1 + np.exp(-g))


@pytest.mark.parametrize('size, stride, shape', [
    (3, 2, (6, 6)), (3, 2, (5, 8)), (5, 1, (4, 3)), (7, 1, (4, 4))])
def test_gated_conv(size, stride, shape):
  layer = layers.GatedConv(4, size, stride)
  x = jax.random.normal(jax.random.key(0), (2, *shape, 3))
  y, variables = jax.device_get(jax.jit(
      lambda x: layer.init_with_output(jax.random.key(1), x))(x))
  reference = numpy_gated_conv(x, variables['params'], stride)
  np.testing.assert_allclose(y, reference, rtol=1e-5, atol=1e-5)


def test_gated_dense():
  layer = layers.GatedDense(4)
  x = jax.random.normal(jax.random.key(0), (3, 6))
  y, variables = jax.device_get(jax.jit(
      lambda x: layer.init_with_output(jax.random.key(1), x))(x))
  affine = lambda kernel, bias: np.float64(x) @ kernel + bias
  h, g = (affine(**variables['params'][name]) for name in 'hg')
  np.testing.assert_allclose(y, h / (1 + np.exp(-g)), rtol=1e-5, atol=1e-6)


@pytest.fixture(scope='module')
def gated_conv():
  net = NETWORKS['gated_conv']((8, 8, 1))
  params = lambda module, x: module.init(jax.random.key(0), x)['params']
  return jax.device_get(jax.jit(lambda: {
      'encoder': params(net.encoder(100), jnp.zeros((1, 8, 8, 1))),
      'decoder': params(net.decoder(1), jnp.zeros((1, 40)))})())


def test_initial_values(gated_conv):
  """Uniform convolutions and biases, normal dense kernels, PyTorch's way."""
  def check(path, layer):
    *window, fan_in, _ = layer['kernel'].shape
    bound = (np.prod(window, initial=1) * fan_in)**-.5
    for name, value in layer.items():
      if name == 'kernel' and not window:
        sd = (2 / fan_in)**.5
        assert abs(value.std() / sd - 1) < .05, path
        assert abs(value).max() > 2.5 * sd, path  # Not truncated.
      else:
        assert abs(value).max() <= bound, path
        if value.size > 30:
          assert .5 < value.std() / (bound / 3**.5) < 1.5, path
        if value.size > 1000:
          assert abs(value).max() > .99 * bound, path
          assert abs(value.std() / (bound / 3**.5) - 1) < .03, path

  def walk(path, tree):
    if 'kernel' in tree:
      check(path, tree)
      return 1
    return sum(walk(f'{path}/{k}', v) for k, v in tree.items())

  assert walk('', gated_conv) == 5 * 2 + 1 + 2 * 2 + 4 * 2 + 1


def test_h_and_g_start_apart(gated_conv):
  layer = gated_conv['encoder']['GatedConv_0']
  assert not np.any(layer['h']['kernel'] == layer['g']['kernel'])
  assert not np.any(layer['h']['bias'] == layer['g']['bias'])
