import jax
import jax.numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec
import numpy as np
import pytest

from swae_jax.data import base as data_base
from swae_jax.evals import base
from swae_jax.systems import base as systems_base
import views

SHAPE = (2, 3, 1)
BATCH = 4


def linear(traces):
  """Codes x W + b and images z W^T; notes every trace."""

  def encode(variables, x, key=None):
    assert key is None
    traces.append(('encode', x.shape, str(x.dtype)))
    return x.reshape(len(x), -1) @ variables['w'] + variables['b'][None]

  def decode(variables, z):
    traces.append(('decode', z.shape, str(z.dtype)))
    return (z @ variables['w'].T).reshape(-1, *SHAPE)

  def sample(variables, key, n):
    traces.append(('sample', n))
    return variables['b'][None] + jax.random.normal(key, (n, 2))

  return systems_base.System(None, None, encode, decode, sample)


def variables():
  rng = np.random.default_rng(0)
  return {'w': jnp.asarray(rng.normal(size=(6, 2)), jnp.float32),
          'b': jnp.asarray([5., -3.])}


def make(traces=None, seed=0, weights=None):
  return base.view(linear([] if traces is None else traces),
                   weights or variables(), 'the data', jax.random.key(seed),
                   batch_size=BATCH)


def images(n):
  return views.random(n, SHAPE, 1)


@pytest.mark.parametrize('n', [0, 1, 3, 4, 5, 8, 11])
def test_any_number_of_rows_comes_back(n):
  view, v = make(), variables()
  w, b = np.float64(v['w']), np.float64(v['b'])
  x = images(n)
  z = view.encode(x)
  assert isinstance(z, np.ndarray) and z.shape == (n, 2)
  np.testing.assert_allclose(z, x.reshape(n, 6) / 255. @ w + b, rtol=1e-5)
  x_rec = view.decode(z)
  assert isinstance(x_rec, np.ndarray) and x_rec.shape == (n, *SHAPE)
  np.testing.assert_allclose(x_rec.reshape(n, 6), np.float64(z) @ w.T,
                             rtol=1e-4, atol=1e-5)


def test_bytes_and_floats_have_the_same_codes():
  view, x = make(), images(7)
  np.testing.assert_allclose(view.encode(x), view.encode(data_base.to_float(x)),
                             rtol=1e-6)


@pytest.mark.parametrize('n', [0, 1, 4, 6, 9])
def test_samples_are_counted_and_fixed_and_differ(n):
  view = make()
  z = view.sample(n)
  assert isinstance(z, np.ndarray) and z.shape == (n, 2)
  np.testing.assert_array_equal(z, view.sample(n))
  np.testing.assert_array_equal(z, view.sample(20)[:n])
  assert len(np.unique(z, axis=0)) == n
  assert not np.isin(make(seed=1).sample(12), z).any()


def test_samples_come_from_the_prior_of_the_variables():
  z = make().sample(2000)
  np.testing.assert_allclose(z.mean(0), variables()['b'], atol=.12)


def test_each_function_is_compiled_once_for_all_views():
  traces = []
  system = linear(traces)
  for scale in (1., 2.):
    weights = jax.tree.map(lambda leaf: scale * leaf, variables())
    view = base.view(system, weights, None, jax.random.key(0), BATCH)
    for n in (1, 4, 11):
      z = view.encode(images(n))
      view.decode(z)
      view.sample(n)
  assert sorted(traces) == [('decode', (BATCH, 2), 'float32'),
                            ('encode', (BATCH, *SHAPE), 'float32'),
                            ('sample', BATCH)]
  # The variables are an argument: those of the last view were used.
  np.testing.assert_allclose(
      view.encode(images(3)),
      2 * base.view(system, variables(), None, jax.random.key(0),
                    BATCH).encode(images(3)), rtol=1e-6)


def test_variables_that_live_on_all_devices():
  mesh = jax.make_mesh((8,), ('data',),
                       axis_types=(jax.sharding.AxisType.Auto,))
  everywhere = jax.device_put(variables(),
                              NamedSharding(mesh, PartitionSpec()))
  view, x = make(weights=everywhere), images(5)
  np.testing.assert_allclose(view.encode(x), make().encode(x), rtol=1e-6)
  np.testing.assert_allclose(view.sample(5), make().sample(5), rtol=1e-6)


def test_the_data_come_along():
  assert make().data == 'the data'
