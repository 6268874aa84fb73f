"""The integer sort against numpy's, and its derivative."""
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax.losses import _sorting as sorting

RNG = np.random.default_rng(0)
TINY = np.float32(1e-45)
CASES = {
    'random': RNG.normal(size=(3, 50)),
    'ties': RNG.integers(-2, 3, size=(3, 50)),
    'neighbours': 1 + RNG.integers(0, 8, size=(3, 50)) * 2.**-23,
    'extremes': [[0., np.inf, -np.inf, 3e38, -3e38, TINY, -TINY, 1e-38, -1.]],
    'one': [[2.]],
}


@pytest.mark.parametrize('dtype', ['float32', 'float64'])
@pytest.mark.parametrize('name', CASES)
def test_sort_and_argsort(name, dtype):
  with jax.enable_x64(dtype == 'float64'):
    x = np.array(CASES[name], dtype)
    order = np.argsort(x, axis=-1, kind='stable')
    np.testing.assert_array_equal(jax.jit(sorting.sort)(x), np.sort(x))
    np.testing.assert_array_equal(jax.jit(sorting.argsort)(x), order)
    assert sorting.sort(jnp.array(x)).dtype == dtype
    assert sorting.argsort(jnp.array(x)).dtype == jnp.int32


@pytest.mark.parametrize('name', CASES)
def test_both_ways_to_the_permutation_agree(name):
  x = jnp.array(CASES[name], 'float32')
  key = sorting._flip(x, jnp.int32)
  packed, pair = jax.jit(
      lambda k: (sorting._argsort_packed(k), sorting._argsort_pair(k)))(key)
  np.testing.assert_array_equal(packed, pair)


def test_zeros_keep_their_signs_and_nan_is_kept():
  x = jnp.array([0., -0., 1., jnp.nan, -1.])
  out = np.asarray(jax.jit(sorting.sort)(x))
  np.testing.assert_array_equal(np.signbit(out[:3]), [True, True, False])
  assert np.isnan(out).sum() == 1


def test_derivative_is_the_permutation(check_gradient):
  x, weight = RNG.normal(size=(2, 9)), RNG.normal(size=(2, 9))
  check_gradient(lambda x: weight * sorting.sort(x)**2, x)
  grad = jax.jit(jax.grad(lambda x: jnp.sum(weight * sorting.sort(x))))(x)
  expected = np.empty_like(weight)
  np.put_along_axis(expected, x.argsort(1), weight, 1)
  np.testing.assert_allclose(grad, expected, rtol=1e-6)
  value, tangent = jax.jit(lambda x: jax.jvp(sorting.sort, (x,), (weight,)))(
      x.astype('float32'))
  np.testing.assert_array_equal(value, np.sort(x.astype('float32')))
  np.testing.assert_allclose(
      tangent, np.take_along_axis(weight, x.argsort(1), 1), rtol=1e-6)


def test_derivative_under_other_transformations():
  x = jnp.array(RNG.normal(size=(4, 9)), 'float32')
  loss = lambda x: jnp.sum(jnp.arange(9.) * sorting.sort(x)**3)
  grad = jax.grad(loss)
  expected = jnp.stack([grad(row) for row in x])
  same = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
  same(jax.vmap(jax.jit(grad))(x), expected)
  same(jax.vmap(jax.grad(jax.jit(loss)))(x), expected)
  same(jax.jit(jax.vmap(jax.grad(jax.checkpoint(loss))))(x), expected)
  same(jax.lax.map(grad, x), expected)
  hessian = jax.jit(jax.hessian(loss))(x[0])
  rank = np.argsort(np.argsort(x[0]))
  same(hessian, np.diag(6 * rank * np.asarray(x[0])))


def test_export_to_all_platforms():
  grad = jax.jit(jax.grad(lambda x: jnp.sum(sorting.sort(x)**2)))
  exported = jax.export.export(grad, platforms=('cpu', 'cuda', 'tpu'))(
      jax.ShapeDtypeStruct((4, 9), 'float32'))
  x = RNG.normal(size=(4, 9)).astype('float32')
  np.testing.assert_allclose(exported.call(x), 2 * x, rtol=1e-6)
