"""The two forms of every convolution agree, derivatives included."""
from flax import linen as nn
import jax
from jax import lax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import numpy as np
import pytest

from swae_jax.networks import convolution, layers

# Size, stride, H, W, C_in, C_out, padding; few channels take other ways.
CASES = [
    (3, 2, 6, 7, 10, 12, 'SAME'), (3, 2, 5, 4, 12, 10, ((1, 1), (1, 1))),
    (4, 2, 7, 6, 1, 3, 'SAME'), (4, 2, 6, 6, 9, 9, 'VALID'),
    (4, 1, 4, 5, 40, 1, 'SAME'), (5, 2, 8, 5, 3, 2, 'SAME'),
    (5, 1, 6, 5, 9, 9, ((2, 2), (2, 2))), (7, 1, 4, 4, 1, 3, ((3, 3), (3, 3))),
    (3, 1, 5, 4, 3, 1, 'VALID'), (7, 2, 9, 8, 2, 3, 'SAME'),
    (2, 3, 7, 8, 2, 3, ((0, 1), (1, 0))), (1, 2, 5, 6, 4, 3, 'VALID'),
    (3, 2, 8, 7, 2, 2, ((-1, 3), (0, -2)))]

# These tests compile for longer than they run.
QUICK = {'xla_backend_optimization_level': 0,
         'xla_llvm_disable_expensive_passes': True}


def arrays(size, h, w, c_in, c_out, dtype='float64', batch=3):
  rng = np.random.default_rng(0)
  return (rng.normal(size=(batch, h, w, c_in)).astype(dtype),
          rng.normal(size=(size, size, c_in, c_out)).astype(dtype))


def pads(size, stride, padding, shape, transposed=False):
  if isinstance(padding, str) and transposed:
    return (convolution.same_transposed(size, stride),) * 2
  if isinstance(padding, str):
    return tuple(lax.padtype_to_pads(
        shape, (size, size), (stride, stride), padding))
  return padding


def results(fn, form, *inputs):
  """The value, and the derivatives of a nonlinear function of it."""
  with convolution.form(form):
    def both(*inputs):
      loss = lambda *inputs: jnp.sum(jnp.sin(fn(*inputs)))
      return fn(*inputs), jax.grad(loss, range(len(inputs)))(*inputs)
    return jax.device_get(
        jax.jit(both, compiler_options=QUICK)(*inputs))


def check(fn, inputs, tolerance=1e-12):
  plain, phases = (results(fn, form, *inputs) for form in convolution.FORMS)
  for a, b in zip(*map(jax.tree.leaves, (plain, phases)), strict=True):
    assert a.shape == b.shape and a.dtype == b.dtype == inputs[0].dtype
    np.testing.assert_allclose(b, a, rtol=tolerance,
                               atol=tolerance * np.abs(a).max(initial=1))


@pytest.mark.parametrize('transposed', [False, True])
@pytest.mark.parametrize('case', CASES, ids=str)
def test_forms_agree(case, transposed):
  size, stride, h, w, c_in, c_out, padding = case
  padding = pads(size, stride, padding, (h, w), transposed)
  op = convolution.conv_transpose if transposed else convolution.conv
  with jax.enable_x64(True):
    check(lambda x, k: op(x, k, (stride, stride), padding),
          arrays(size, h, w, c_in, c_out))


@pytest.mark.parametrize('transposed', [False, True])
@pytest.mark.parametrize('batch, shape', [
    (6, (3, 1, 32, 40, 9, 10)),  # a few images in each block of the batch
    (5, (3, 1, 32, 40, 9, 10)),  # a prime number of images
    (4, (4, 2, 64, 65, 2, 3)),  # one image in each block
    pytest.param(2, (4, 2, 5, 4, 512, 513),  # a kernel of 4 million numbers
                 marks=pytest.mark.slow)], ids=str)
def test_forms_agree_on_large_arrays(batch, shape, transposed):
  size, stride, *_ = shape
  padding = pads(size, stride, 'SAME', shape[2:4], transposed)
  op = convolution.conv_transpose if transposed else convolution.conv
  with jax.enable_x64(True):
    check(lambda x, k: op(x, k, (stride, stride), padding),
          arrays(size, *shape[2:], batch=batch), 1e-11)


def test_sums_of_bfloat16_are_exact():
  """In bfloat16 2^19 + 2^11 is 2^19; there are 512 images of 2^11 pixels."""
  x = jnp.ones((512, 1, 2048, 9), 'bfloat16')
  kernel = jnp.ones((1, 1, 9, 9), 'bfloat16')
  loss = lambda k: jnp.sum(convolution.conv(x, k, (1, 1), ((0, 0), (0, 0))))
  slope = jax.jit(jax.grad(loss))(kernel)
  assert slope.dtype == 'bfloat16'
  np.testing.assert_array_equal(slope.astype('float32'), 2**20)


@pytest.mark.parametrize('factor, size', [(2, 3), (2, 4), (3, 3), (3, 1)])
def test_upsampled(factor, size):
  x, kernel = arrays(size, 3, 4, 2, 3)
  padding = ((1, 0), (1, 2))
  with jax.enable_x64(True):
    check(lambda x, k: convolution.conv_upsampled(x, k, factor, padding),
          (x, kernel))
    with convolution.form('phases'):
      y = convolution.conv_upsampled(x, kernel, factor, padding)
    big = x.repeat(factor, 1).repeat(factor, 2)
    np.testing.assert_allclose(
        y, lax.conv_general_dilated(big, kernel, (1, 1), padding,
                                    dimension_numbers=('NHWC', 'HWIO', 'NHWC')),
        rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('transposed', [False, True])
def test_float32_and_mapped(transposed):
  """Over stacks of maps and of kernels, as an ensemble has them."""
  op = convolution.conv_transpose if transposed else convolution.conv
  x, kernel = arrays(4, 5, 6, 9, 9, 'float32')
  fn = lambda x, k: op(x, k, (2, 2), ((1, 2), (2, 1)))
  check(fn, (x, kernel), 1e-5)
  check(jax.vmap(fn), (x[:2, None], np.stack([kernel, -2 * kernel])), 1e-5)
  check(jax.vmap(fn, (None, 0)), (x[:2], np.stack([kernel, kernel * 3])), 1e-5)


@pytest.mark.parametrize('transposed', [False, True])
def test_second_derivatives(transposed):
  op = convolution.conv_transpose if transposed else convolution.conv
  x, kernel = (a / 10 for a in arrays(3, 4, 3, 2, 3))

  def squared_slope(x, k):
    fn = lambda x, k: jnp.sum(op(x, k, (2, 2), ((1, 1), (0, 2)))**3)
    return sum(jnp.sum(g**2) for g in jax.grad(fn, (0, 1))(x, k))

  with jax.enable_x64(True):
    check(squared_slope, (x, kernel), 1e-11)


@pytest.mark.parametrize('transposed', [False, True])
def test_shared_batch(transposed):
  """Eight devices that share the batch give what one gives."""
  op = convolution.conv_transpose if transposed else convolution.conv
  rng = np.random.default_rng(0)
  x = rng.normal(size=(16, 6, 6, 9))
  kernel = rng.normal(size=(4, 4, 9, 10))
  mesh = jax.make_mesh((8,), ('data',), (AxisType.Auto,))
  fn = lambda x, k: op(x, k, (2, 2), ((1, 1), (1, 1)))
  with jax.enable_x64(True):
    whole = results(fn, 'phases', x, kernel)
    spread = jax.device_put(x, NamedSharding(mesh, PartitionSpec('data')))
    shared = results(fn, 'phases', spread, kernel)
  for a, b in zip(*map(jax.tree.leaves, (whole, shared)), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-11)


def test_no_dilated_operand_is_left():
  """They are what the CPU is slow at."""
  x, kernel = arrays(4, 6, 6, 9, 9, 'float32')

  def text(form):
    def fn(x, k):
      y = convolution.conv(x, k, (2, 2), ((1, 1), (1, 1)))
      y = convolution.conv_transpose(y, k, (2, 2), ((2, 2), (2, 2)))
      return jnp.sum(y**2)
    with convolution.form(form):
      return jax.jit(jax.grad(fn, (0, 1))).lower(x, kernel).as_text()

  def dilated(form):
    return sum('dilate = [2, 2]' in line for line in text(form).splitlines())

  assert dilated('plain') and not dilated('phases')


@pytest.mark.parametrize('size, stride', [
    (3, 1), (4, 1), (3, 2), (4, 2), (5, 2), (1, 2), (2, 3)])
def test_transposed_layer_is_that_of_flax(size, stride):
  x, _ = arrays(1, 3, 4, 2, 1, 'float32')
  layer = layers.ConvTranspose(3, size, stride)
  y, variables = jax.jit(
      lambda x: layer.init_with_output(jax.random.key(0), x))(x)
  reference = nn.ConvTranspose(3, (size, size), (stride, stride))
  assert jax.tree.map(jnp.shape, variables) == jax.tree.map(
      jnp.shape, jax.eval_shape(reference.init, jax.random.key(0), x))
  variables['params']['bias'] += jnp.array([1., -2., 3.])
  y = jax.jit(layer.apply)(variables, x)
  np.testing.assert_allclose(y, jax.jit(reference.apply)(variables, x),
                             rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('padding', ['SAME', 'VALID', 1, ((2, 0), (1, 3))])
@pytest.mark.parametrize('stride', [1, 2])
def test_layer_is_that_of_flax(stride, padding):
  x, _ = arrays(1, 6, 5, 2, 1, 'float32')
  options = {'features': 9, 'padding': padding}
  layer = layers.conv(size=3, stride=stride, **options)
  reference = nn.Conv(kernel_size=(3, 3), strides=stride, **options)
  variables = jax.jit(layer.init)(jax.random.key(0), x)
  np.testing.assert_array_equal(
      *(m.init(jax.random.key(0), x)['params']['kernel']
        for m in (layer, reference)))
  np.testing.assert_allclose(
      jax.jit(layer.apply)(variables, x),
      jax.jit(reference.apply)(variables, x), rtol=1e-5, atol=1e-6)


def test_layer_refuses_what_it_would_get_wrong():
  x, _ = arrays(1, 6, 6, 2, 1, 'float32')
  for option in ({'feature_group_count': 2}, {'kernel_dilation': 2},
                 {'input_dilation': 2}):
    with pytest.raises(NotImplementedError, match=next(iter(option))[-8:]):
      layers.conv(2, 3, **option).init(jax.random.key(0), x)


def test_the_form_holds_inside_the_block_alone():
  """'phases' has no derivative in forward mode, 'plain' has."""
  x, kernel = arrays(3, 4, 4, 2, 2, 'float32')
  slope = lambda: jax.jvp(lambda k: convolution.conv(
      x, k, (1, 1), ((1, 1), (1, 1))), (kernel,), (kernel,))
  assert convolution.default() == 'phases'  # On a CPU.
  with pytest.raises(ValueError, match="'fast': choose one of plain, phases"):
    with convolution.form('fast'):
      pass
  with pytest.raises(ZeroDivisionError), convolution.form('plain'):
    slope()
    raise ZeroDivisionError
  with pytest.raises(TypeError, match='forward-mode'):
    slope()
