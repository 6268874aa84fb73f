"""Values where rounding, infinities or repeated points used to decide.

Right values come from loops in float64 over the float32 numbers that the loss
receives, or from the formula in the comment.
"""
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from swae_jax import losses, priors

RNG = np.random.default_rng(0)
F32 = np.float32


def value_and_grad(fn, *args):
  return jax.jit(jax.value_and_grad(lambda *a: jnp.sum(fn(*a))))(*args)


@pytest.mark.parametrize('fn, args, value, grad', [
    # log(softplus) at each side, and where one side is infinite.
    (lambda a: losses.log_bernoulli(F32([[1]]), a), [[15]], -3.059e-7,
     3.059e-7),
    (lambda a: losses.log_bernoulli(F32([[0]]), a), [[-15]], -3.059e-7,
     -3.059e-7),
    (lambda a: losses.log_bernoulli(F32([[0]]), a), [[-np.inf]], 0, 0),
    (lambda a: losses.log_bernoulli(F32([[1]]), a), [[np.inf]], 0, 0),
    (lambda a: losses.log_bernoulli(F32([[.25]]), a), [[0]], -np.log(2), -.25),
    # sigmoid((1 - mean) e^4) - sigmoid((255 / 256 - mean) e^4), and its mirror.
    (lambda a: losses.log_logistic_256(F32([[1]]), a, F32([[-4]])), [[.7]],
     -15.950, 8.447),
    (lambda a: losses.log_logistic_256(F32([[0]]), a, F32([[-4]])), [[.3]],
     -15.950, -8.447),
    (lambda a: losses.log_logistic_256(F32([[.5]]), a, F32([[-200]])), [[.502]],
     1e-7, 0),
    (lambda a: losses.kl_normal(a, F32([[-100]]), F32([[1]]), F32([[-100]])),
     [[1]], 0, 0),
    (lambda a: losses.kl_normal(a, F32([[-300]]), F32([[0]]), F32([[-300]])),
     [[0]], 0, 0),
    (lambda a: losses.kl_normal(
        F32([[0]]), a, F32([[.01]]), np.float16([[-12]])), [[-12]], 8.1377, 0),
    (lambda a: losses.log_normal(F32([[1]]), a, F32([[-100]])), [[1]],
     50 - .5 * np.log(2 * np.pi), 0),
    (lambda a: losses.log_normal_mixture(
        F32([[1]]), a, F32([[-100]])), [[1]], 50 - .5 * np.log(2 * np.pi), 0),
    (lambda a: losses.negative_elbo(a, F32([np.inf]), beta=0.), [-2], 2, -1),
    (lambda a: losses.a_mim(a, F32([-np.inf]), F32([0]), warm_up=0.), [-2], 1,
     -.5),
    (lambda a: losses.symmetric_mim(a, F32([np.nan]), warm_up=.5), [3], 3, 1),
    (lambda a: losses.power_error(a, a, p=1.5), [[2]], 0, 0),
])
def test_a_value_and_its_gradient(fn, args, value, grad):
  found = value_and_grad(fn, F32(args))
  np.testing.assert_allclose(found[0], value, rtol=2e-4, atol=2e-7)
  np.testing.assert_allclose(np.sum(found[1]), grad, rtol=2e-4, atol=1e-6)


def test_logistic_256_over_its_range():
  x = F32(np.arange(256) / 256 + .001)[:, None]
  for logscale in (-6., -2., 0., 3.):
    mean = RNG.uniform(-.2, 1.2, (256, 1)).astype(F32)
    low, m = np.floor(256 * x.astype('f8')) / 256, mean.astype('f8')
    s = np.exp(-logscale)
    mass = (special.expit((low + 1 / 256 - m) * s)
            * special.expit(-(low - m) * s) * -np.expm1(-s / 256))
    found = jax.jit(losses.log_logistic_256)(
        x, mean, np.full_like(x, logscale))
    np.testing.assert_allclose(found, np.log(mass + 1e-7)[:, 0], rtol=1e-4)


def loop(x, y, of_distance, unbiased=True):
  """MMD by a loop in float64."""
  x, y = x.astype('f8'), y.astype('f8')
  k = lambda a, b: np.array([[of_distance(((s - t)**2).sum()) for t in b]
                             for s in a])
  def within(a):
    out = k(a, a)
    if unbiased:
      return (out.sum() - np.trace(out)) / (len(a) * (len(a) - 1))
    return out.mean()
  return within(x) + within(y) - 2 * k(x, y).mean()


def far_row():
  x, y = RNG.normal(size=(2, 100, 2))
  y[0] = 1e6
  return F32(x), F32(y + 1)


@pytest.mark.parametrize('x, y', [
    far_row(), far_row()[::-1],
    F32(RNG.normal(size=(2, 20, 2)) + 1e5),
    F32(RNG.normal(size=(2, 20, 12)) + 1e5),
    F32(RNG.normal(size=(2, 20, 3)) + 4096 * RNG.integers(0, 2, (2, 20, 1))),
    np.repeat(F32(RNG.normal(size=(2, 5, 12))), 4, 1)])
@pytest.mark.parametrize('unbiased', [True, False])
def test_mmd_far_from_the_origin_and_with_far_rows(x, y, unbiased):
  for kernel, of_distance in (
      (losses.imq(4.), lambda d2: 4 / (4 + d2)),
      (losses.rbf(2.), lambda d2: np.exp(-d2 / 4))):
    fn = jax.jit(functools.partial(losses.mmd, unbiased=unbiased),
                 static_argnums=2)
    np.testing.assert_allclose(
        fn(x, y, kernel), loop(x, y, of_distance, unbiased), atol=3e-6)
  fn = jax.jit(functools.partial(losses.energy_distance, unbiased=unbiased))
  expected = loop(x, y, lambda d2: -np.sqrt(d2), unbiased)
  np.testing.assert_allclose(fn(x, y), expected, rtol=3e-3, atol=3e-3)


@pytest.mark.parametrize('d', [2, 12])
@pytest.mark.parametrize('kernel', [
    lambda d2: -jnp.sqrt(d2), lambda d2: jnp.exp(-jnp.sqrt(d2))])
def test_mmd_of_a_kernel_without_a_derivative_at_zero(d, kernel):
  x, y = F32(RNG.normal(size=(2, 9, d)))
  grad = jax.jit(jax.grad(lambda x: losses.mmd(x, y, kernel)))(x)
  assert np.isfinite(grad).all() and np.abs(grad).max() > 1e-3


def test_kid_far_from_the_origin():
  same = np.full((50, 8), 100, F32)
  assert jax.jit(losses.kid)(same, same) == 0
  x, y = F32(RNG.normal(size=(2, 60, 8)) + 100)
  a, b = x.astype('f8'), (y + F32(.25)).astype('f8')
  k = lambda s, t: (s @ t.T / 8 + 1)**3
  within = lambda s: (k(s, s).sum() - np.trace(k(s, s))) / (60 * 59)
  expected = within(a) + within(b) - 2 * k(a, b).mean()
  np.testing.assert_allclose(jax.jit(losses.kid)(x, F32(b)), expected,
                             rtol=1e-3)


@pytest.mark.parametrize('d', [3, 20])
def test_what_cannot_be_negative_is_not(d):
  theta = priors.directions(jax.random.key(0), 4, d)
  fns = [functools.partial(losses.mmd, kernel=losses.imq(2.), unbiased=False),
         functools.partial(losses.energy_distance, unbiased=False),
         losses.cramer_wold,
         functools.partial(losses.sliced_wasserstein, theta=theta)]
  fns = [jax.jit(jax.value_and_grad(fn)) for fn in fns]
  for seed in range(10):
    x = F32(np.random.default_rng(seed).normal(size=(30, d)))
    for fn in fns:
      value, grad = fn(x, x[::-1])
      assert 0 <= value < 1e-4 and np.isfinite(grad).all()
    cov, mean = np.cov(x.T), x.mean(0)
    assert 0 <= jax.jit(losses.frechet)(mean, cov, mean, cov) < 1e-4
    assert (losses.kl_normal(x, x, x, x) >= 0).all()


def test_sliced_wasserstein_far_from_the_origin():
  x, y = F32(RNG.normal(size=(2, 50, 4)) + 1e6)
  theta = priors.directions(jax.random.key(1), 8, 4)
  s, t = (np.sort(np.asarray(theta, 'f8') @ a.astype('f8').T) for a in (x, y))
  np.testing.assert_allclose(
      jax.jit(losses.sliced_wasserstein)(x, y, theta), ((s - t)**2).mean(),
      rtol=1e-5)


def search(x, u, similarity='l2'):
  """The nearest by differences in float64."""
  x, u = x.astype('f8'), u.astype('f8')
  if similarity == 'l2':
    return np.array([np.argmin(((row - u)**2).sum(1)) for row in x])
  norm = np.linalg.norm(u, axis=1)
  return np.array([np.argmax((u @ row) / np.where(norm == 0, 1, norm))
                   for row in x])


@pytest.mark.parametrize('u', [
    [[4096, 0], [4096.5, .5], [4097, 0]],
    RNG.normal(size=(200, 30)) + 1000,
    RNG.normal(size=(200, 30)) + 4096 * RNG.integers(0, 2, (200, 1)),
    np.concatenate([[[1e6] * 30], RNG.normal(size=(99, 30))]),
    RNG.normal(size=(100, 30)) * 1e-30, RNG.normal(size=(100, 30)) * 1e30])
@pytest.mark.parametrize('block', [None, 7])
def test_nearest_finds_each_example_itself(u, block):
  u = F32(u)
  fn = jax.jit(functools.partial(losses.nearest, block=block))
  np.testing.assert_array_equal(fn(u[::-1], u), np.arange(len(u))[::-1])
  between = u + F32(.3) * np.abs(u).min() * F32(RNG.normal(size=u.shape))
  if np.abs(u).max() < 1e7 and np.abs(u).min() > 1e-7:
    np.testing.assert_array_equal(fn(between, u), search(between, u))


@pytest.mark.parametrize('shape', [(3, 40, 5), (20, 64, 37), (5, 300, 16)])
@pytest.mark.parametrize('binary', [False, True])
def test_nearest_takes_the_first_of_duplicates(shape, binary):
  b, k, d = shape
  u = RNG.random((k, d))
  u = F32(u > .7 if binary else u)[RNG.integers(0, k // 4, k)]
  x = np.concatenate([u[RNG.integers(0, k, b)], F32(RNG.random((b, d)))])
  for block in (None, 11):
    for similarity in ('l2', 'cosine'):
      fn = jax.jit(functools.partial(
          losses.nearest, block=block, similarity=similarity))
      found = np.asarray(fn(x, u))
      if similarity == 'l2':
        np.testing.assert_array_equal(found, search(x, u))
      for i in found:  # No earlier row equals the one that was found.
        assert not (u[:i] == u[i]).all(1).any()


def test_nearest_leaves_nan_out_for_every_block():
  u, x = F32(RNG.normal(size=(20, 3))), F32(RNG.normal(size=(6, 3)))
  u[[0, 7, 19], 1], x[2] = np.nan, np.nan
  whole = search(x, np.nan_to_num(u, nan=1e9))
  whole[2] = 0
  for block in (None, 1, 3, 6, 19, 20):
    found = jax.jit(functools.partial(losses.nearest, block=block))(x, u)
    np.testing.assert_array_equal(found, whole)


@pytest.mark.parametrize('fn', [
    lambda: losses.negative_elbo(np.ones(3), np.ones(3), beta=np.ones((3, 1))),
    lambda: losses.joint_ot(*np.ones((5, 4, 2)), alpha=np.ones((4, 1))),
    lambda: losses.joint_ot(*np.ones((5, 4, 2)),
                            cost=lambda x, y: jnp.ones((4, 1))),
    lambda: losses.a_mim(*np.ones((3, 4)), warm_up=np.ones(3)),
    lambda: losses.symmetric_mim(*np.ones((2, 4)), warm_up=np.ones((4, 1))),
    lambda: losses.imq(0.), lambda: losses.imq(-1.), lambda: losses.rbf(np.nan),
    lambda: losses.sinkhorn_divergence(*np.ones((2, 3, 2)), epsilon=0.)])
def test_a_weight_of_another_shape_or_a_pole_is_refused(fn):
  with pytest.raises(ValueError) as e:
    fn()
  assert '\n' not in str(e.value)


def test_hessians_at_equal_arguments_are_finite():
  hessian = lambda fn, x: jax.jit(jax.hessian(lambda x: jnp.sum(fn(x))))(x)
  x = F32([[1, -2]])
  for p, expected in ((1, 0), (1.5, 0), (2, 2), (3, 0)):
    found = hessian(lambda a, p=p: losses.power_error(a, x, p=p), x)
    np.testing.assert_array_equal(
        found.reshape(2, 2), expected * np.eye(2))
  eye, zero = np.eye(2, dtype=F32), np.zeros(2, F32)
  found = hessian(lambda a: losses.frechet(zero, a, zero, 2 * eye), eye)
  assert np.isfinite(found).all()
  # -2 sqrt(2 s) has the second derivative sqrt(2) / 2 at s = 1.
  np.testing.assert_allclose(found[0, 0, 0, 0], .70711, rtol=1e-4)


def test_the_hessian_of_frechet_is_the_slope_of_its_gradient():
  with jax.enable_x64(True):
    a, b, way = (m @ m.T for m in RNG.normal(size=(3, 3, 3)))
    zero = np.zeros(3)
    grad = jax.jit(jax.grad(lambda s: losses.frechet(zero, s, zero, b)))
    slope = (grad(a + 1e-6 * way) - grad(a - 1e-6 * way)) / 2e-6
    found = jax.jit(lambda a, v: jax.jvp(grad, (a,), (v,))[1])(a, way)
    np.testing.assert_allclose(found, slope, rtol=1e-5, atol=1e-7)
