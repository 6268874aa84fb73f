"""Properties of all public losses: types, order, shift, scale, mirror, mesh."""
import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)
X, X2, Y = (RNG.normal(size=(n, 6)) for n in (16, 16, 24))
Y = np.round(16 * Y) / 16  # Exact in half precision.
UNIT = RNG.uniform(.05, .95, size=(16, 6))
V = RNG.normal(size=(4, 16))
THETA = Y[:5] / np.linalg.norm(Y[:5], axis=1, keepdims=True)
COV = np.cov(Y.T)

SLICED = functools.partial(losses.sliced_wasserstein, theta=THETA)
MAX = functools.partial(losses.max_sliced_wasserstein, theta=THETA, steps=2)
DISTRIBUTIONAL = functools.partial(
    losses.distributional_sliced_wasserstein, theta=THETA, steps=2)
# Losses of two samples: {name: (loss, power of the scale or None)}.
TWO_SAMPLES = {
    'sliced_wasserstein': (SLICED, 2),
    'max_sliced_wasserstein': (functools.partial(MAX, steps=0), 2),
    'distributional_sliced_wasserstein': (DISTRIBUTIONAL, None),
    'mmd': (functools.partial(losses.mmd, kernel=losses.imq(4.)), None),
    'energy_distance': (losses.energy_distance, 1),
    'kid': (losses.kid, None),
    'cramer_wold': (losses.cramer_wold, None),
    'sinkhorn_divergence': (losses.sinkhorn_divergence, None),
}
# Losses of single examples: {name: (loss, arguments [B, ...])}.
EXAMPLES = {
    'squared_error': (losses.squared_error, (X, X2)),
    'power_error': (functools.partial(losses.power_error, p=3), (X, X2)),
    'log_bernoulli': (losses.log_bernoulli, (UNIT, X)),
    'log_logistic_256': (losses.log_logistic_256, (UNIT, X, .1 * X2)),
    'log_normal': (losses.log_normal, (X, X2, .3 * X)),
    'kl_normal': (losses.kl_normal, (X, .3 * X2, X2, .3 * X)),
    'kl_sampled': (losses.kl_sampled, (V[0], V[1])),
    'negative_elbo': (losses.negative_elbo, (V[0], V[1])),
    'log_marginal': (lambda w: losses.log_marginal(w.T), (X,)),
    'a_mim': (losses.a_mim, tuple(V[:3])),
    'decoder_mim': (losses.decoder_mim, tuple(V[:3])),
    'symmetric_mim': (losses.symmetric_mim, tuple(V[:2])),
    'joint_ot': (lambda *a: losses.joint_ot(*a).loss, (X, X2, UNIT, X2, X)),
    'critic_loss': (losses.critic_loss, (V[0], V[1])),
    'generator_loss': (losses.generator_loss, (V[0],)),
    'log_normal_mixture': (
        lambda z: losses.log_normal_mixture(
            z, jnp.asarray(Y, z.dtype), jnp.asarray(Y / 8, z.dtype)), (X,)),
    'squared_distances': (
        lambda x: losses.squared_distances(x, jnp.asarray(Y, x.dtype)), (X,)),
    'nearest': (lambda x: losses.nearest(x, jnp.asarray(Y, x.dtype)), (X,)),
}
ALL = {**{name: (fn, (X, Y)) for name, (fn, _) in TWO_SAMPLES.items()},
       **EXAMPLES,
       'frechet': (losses.frechet, (X[0], COV, X2[0], COV + np.eye(6)))}
# They return kernels, hold results, or are tested in test_collectives.
OTHERS = {'imq', 'rbf', 'multiscale', 'JointOT', 'gather'}


LOOPS = {'sinkhorn_divergence', 'max_sliced_wasserstein', 'nearest',
         'distributional_sliced_wasserstein'}


def as32(*arrays):
  return [np.asarray(a, np.float32) for a in arrays]


def test_every_loss_has_its_properties_tested():
  assert ALL.keys() | OTHERS == set(losses.__all__)


@pytest.mark.parametrize('dtype', [
    'float16', *(pytest.param(name, marks=pytest.mark.slow)
                 for name in ('bfloat16', 'float64'))])
@pytest.mark.parametrize('name', ALL)
def test_half_precision_is_computed_in_float32(name, dtype):
  """The value is that of the same numbers as float32, eager and jitted."""
  fn, args = ALL[name]
  with jax.enable_x64(dtype == 'float64'):
    args = [jnp.asarray(a, dtype) for a in args]
    jitted = jax.jit(fn)(*args)
    if name != 'nearest':
      assert jitted.dtype == max(np.dtype('float32'), np.dtype(dtype), key=(
          lambda d: d.itemsize))
    wide = jax.jit(fn)(*(a.astype('float64' if dtype == 'float64' else
                                  'float32') for a in args))
    np.testing.assert_allclose(jitted, wide, rtol=1e-6, atol=1e-7)
    if dtype == 'float16':
      with jax.disable_jit(name not in LOOPS):  # Their loops are slow then.
        np.testing.assert_allclose(fn(*args), wide, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize('name', TWO_SAMPLES)
def test_a_loss_of_two_samples_sees_no_order_and_no_shift(name):
  fn, power = TWO_SAMPLES[name]
  fn = jax.jit(fn)
  close = functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-5)
  x, y = as32(X, Y)
  value = fn(x, y)
  close(fn(x[RNG.permutation(16)], y[RNG.permutation(24)]), value)
  # The smoothing of Cramer-Wold depends on the number of codes.
  if name not in ('distributional_sliced_wasserstein', 'cramer_wold'):
    close(fn(y, x), value)
  if name != 'kid':  # Its kernel has an origin.
    far = as32(x + 4096., y + 4096.)
    # The shift rounds the samples; both sides take the rounded ones.
    close(fn(*far), fn(far[0] - 4096., far[1] - 4096.))
  if power == 2:
    close(fn(np.repeat(x, 3, 0), np.repeat(y, 3, 0)), value)
  if power:
    close(fn(8 * x, 8 * y), 8**power * value)


@pytest.mark.parametrize('name', EXAMPLES)
def test_a_loss_of_examples_sees_each_by_itself(name):
  fn, args = EXAMPLES[name]
  order = RNG.permutation(16)
  value = jax.jit(fn)(*as32(*args))
  np.testing.assert_allclose(
      jax.jit(fn)(*(a[order] for a in as32(*args))), value[order], rtol=1e-5,
      atol=1e-6)


def test_black_and_white_pixels_count_alike():
  level = (RNG.integers(256, size=(16, 6)) + .5) / 256
  x, mean, logscale = as32(level, UNIT, 3 * X2 - 2)
  fn = jax.jit(losses.log_logistic_256)
  np.testing.assert_allclose(
      fn(1 - x, 1 - mean, logscale), fn(x, mean, logscale), rtol=2e-3)
  for scale in (1., 20., 80.):
    x, logits = as32(X > 0, scale * X)
    fn = jax.jit(losses.log_bernoulli)
    np.testing.assert_allclose(fn(1 - x, -logits), fn(x, logits), rtol=1e-6)


@pytest.mark.parametrize('name', ALL)
def test_nan_comes_from_nan_and_goes_no_further(name):
  fn, args = ALL[name]
  args = as32(*args)
  assert np.isfinite(jax.jit(fn)(*args)).all()
  args[0][3] = np.nan
  found = np.asarray(jax.jit(fn)(*args))
  if name in EXAMPLES:
    bad = np.isnan(found.reshape(16, -1)).any(1)
    assert bad[3] == (name != 'nearest') and bad.sum() <= 1
  else:
    assert np.isnan(found)


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=() if name in (
        'sliced_wasserstein', 'mmd', 'kid', 'nearest', 'squared_distances',
        'log_normal_mixture', 'joint_ot') else pytest.mark.slow)
    for name in ALL])
def test_a_mesh_with_explicit_axes_changes_nothing(name):
  fn, args = ALL[name]
  with jax.enable_x64(True):
    mesh = jax.make_mesh((8,), ('data',))
    assert mesh.axis_types == (jax.sharding.AxisType.Explicit,)
    total = lambda *a: jnp.sum(fn(*a))
    numbers = tuple(range(len(args))) if name != 'nearest' else ()
    both = jax.jit(lambda *a: (fn(*a), jax.grad(total, numbers)(*a)
                               if numbers else ()))
    expected = both(*args)
    with jax.set_mesh(mesh):
      spread = [jax.device_put(a, jax.NamedSharding(
          mesh, jax.P('data') if len(a) % 8 == 0 else jax.P())) for a in args]
      found = jax.block_until_ready(both(*spread))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(
        np.asarray(a), np.asarray(b), rtol=1e-8, atol=1e-10), found, expected)


@pytest.mark.parametrize('name', ['mmd', 'energy_distance', 'kid',
                                  'cramer_wold'])
@pytest.mark.parametrize('limit', [24, 100])
def test_blocks_of_pairs_change_nothing(name, limit, monkeypatch):
  fn, _ = TWO_SAMPLES[name]
  with jax.enable_x64(True):
    both = lambda: jax.jit(jax.value_and_grad(
        lambda *a: fn(*a), (0, 1)))(X, Y)
    expected = both()
    monkeypatch.setattr('swae_jax.losses._pairs.LIMIT', limit)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(
        a, b, rtol=1e-9, atol=1e-12), both(), expected)


def test_the_memory_of_pairs_is_bounded():
  def temporary(n, d=4):
    fn = jax.jit(jax.value_and_grad(
        lambda x, y: losses.mmd(x, y, losses.imq(1.))))
    shape = jax.ShapeDtypeStruct((n, d), 'float32')
    return fn.lower(shape, shape).compile().memory_analysis().temp_size_in_bytes

  assert temporary(100_000) < 8 * 4 * 2**24  # One matrix would be 40 GB.


def test_options_are_named_in_docstrings():
  for name in losses.__all__:
    fn = getattr(losses, name)
    if inspect.isfunction(fn):
      for option in inspect.signature(fn).parameters:
        assert option in fn.__doc__, (name, option)
