"""Distances against numpy, and the nearest against an exhaustive search."""
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 2, 3)), RNG.normal(size=(5, 2, 3))


@pytest.mark.parametrize('p', [1, 1.5, 2, 3])
def test_power_error(p, check_gradient):
  fn = functools.partial(losses.power_error, p=p)
  expected = [(np.abs(x - y)**p).sum() for x, y in zip(X, Y, strict=True)]
  np.testing.assert_allclose(jax.jit(fn)(X, Y), expected, rtol=1e-5)
  check_gradient(fn, X, Y)
  grad = jax.jit(jax.grad(lambda x: fn(x, X).sum()))(X)
  np.testing.assert_array_equal(grad, 0.)  # Where x = y.


def test_squared_error():
  np.testing.assert_allclose(
      jax.jit(losses.squared_error)(X, Y), ((X - Y)**2).sum((1, 2)), rtol=1e-5)


def test_half_precision_is_summed_in_float32():
  x = jnp.full((2, 4096), .1, jnp.bfloat16)
  out = jax.jit(losses.squared_error)(x, jnp.zeros_like(x))
  assert out.dtype == jnp.float32
  np.testing.assert_allclose(out, 4096 * float(x[0, 0])**2, rtol=1e-5)


@pytest.mark.parametrize('shift', [0., 1000.])
def test_squared_distances(shift, check_gradient):
  x, y = RNG.normal(size=(2, 4, 3)) + shift
  x, y = x.astype('float32'), np.concatenate([y, x[:1]]).astype('float32')
  expected = [[((a - b)**2).sum() for b in y.astype('float64')]
              for a in x.astype('float64')]
  out = jax.jit(losses.squared_distances)(x, y)
  np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)
  assert (out >= 0).all()
  check_gradient(losses.squared_distances, x[:, :2], y[:4, :2])


def test_squared_distances_keep_nan():
  x = np.array([[np.nan], [0.]])
  out = jax.jit(losses.squared_distances)(x, np.ones((2, 1)))
  assert np.isnan(out[0]).all()


@pytest.mark.parametrize('similarity', ['l2', 'cosine'])
@pytest.mark.parametrize('block', [None, 1, 4, 50])
def test_nearest(similarity, block):
  x, u = RNG.normal(size=(6, 2, 2)), RNG.normal(size=(11, 2, 2))
  if similarity == 'l2':
    cost = [[((a - b)**2).sum() for b in u] for a in x]
  else:
    cost = [[-(a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())
             for b in u] for a in x]
  fn = jax.jit(functools.partial(
      losses.nearest, similarity=similarity, block=block))
  out = fn(x, u)
  assert out.dtype == jnp.int32
  np.testing.assert_array_equal(out, np.argmin(cost, 1))


@pytest.mark.parametrize('block', [None, 1, 3, 6])
def test_the_first_of_equals_is_nearest(block):
  u = np.array([[3.], [1.], [1.], [5.], [1.], [5.], [3.]])
  out = jax.jit(functools.partial(losses.nearest, block=block))(
      np.array([[1.2], [4.9], [2.9]]), u)
  np.testing.assert_array_equal(out, [1, 3, 0])


def test_nearest_is_not_disturbed_by_the_norm_of_x():
  u = np.array([[0., 1.], [0., -1.]])
  x = np.array([[1e4, .01], [1e4, -.01]])  # |x|^2 = 1e8 would swallow .04.
  np.testing.assert_array_equal(jax.jit(losses.nearest)(x, u), [0, 1])


def test_zero_vectors_have_cosine_zero():
  fn = jax.jit(functools.partial(losses.nearest, similarity='cosine'))
  u = np.array([[0., 0.], [1., 0.], [-1., 0.]])
  np.testing.assert_array_equal(
      fn(np.array([[0., 0.], [2., 0.], [0., 3.]]), u), [0, 1, 0])
  np.testing.assert_array_equal(fn(np.array([[1., 0.]]), u[[0, 2]]), [0])


def test_nearest_has_no_gradient_and_spreads_over_devices():
  x, u = RNG.normal(size=(8, 2)), RNG.normal(size=(5, 2))
  loss = lambda x, u: jnp.take(
      jnp.arange(5.), losses.nearest(x, u, block=2)).sum()
  for grad in jax.jit(jax.grad(loss, (0, 1)))(x, u):
    np.testing.assert_array_equal(grad, 0.)
  mesh = jax.make_mesh(
      (8,), ('d',), axis_types=(jax.sharding.AxisType.Auto,))
  spread = jax.shard_map(
      lambda x, u: losses.nearest(x, u, block=2), mesh=mesh,
      in_specs=(jax.P('d'), jax.P()), out_specs=jax.P('d'))
  np.testing.assert_array_equal(jax.jit(spread)(x, u), losses.nearest(x, u))


def test_nearest_bounds_its_memory():
  def temporary(block):
    fn = jax.jit(functools.partial(losses.nearest, block=block))
    shapes = [jax.ShapeDtypeStruct(s, 'float32') for s in ((64, 2), (4096, 2))]
    return fn.lower(*shapes).compile().memory_analysis().temp_size_in_bytes

  assert temporary(None) >= 64 * 4096 * 4
  assert temporary(64) < 64 * 4096


@pytest.mark.parametrize('fn, args', [
    (losses.squared_error, ((3, 2), (3,))),
    (losses.squared_error, ((), ())),
    (losses.squared_distances, ((3, 2), (3, 4))),
    (losses.squared_distances, ((3,), (3,))),
    (losses.nearest, ((3, 2), (5, 3))),
    (losses.nearest, ((3,), (5,))),
    (losses.nearest, ((3, 2), (0, 2))),
    (functools.partial(losses.nearest, similarity='l1'), ((3, 2), (5, 2))),
    (functools.partial(losses.nearest, block=0), ((3, 2), (5, 2))),
    (functools.partial(losses.power_error, p=.5), ((3, 2), (3, 2))),
])
def test_bad_input_is_refused(fn, args):
  with pytest.raises(ValueError) as e:
    fn(*(np.ones(a) for a in args))
  assert '\n' not in str(e.value)
