"""Frechet distance against scipy's matrix root and closed forms."""
import jax
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)
D = 6


def covariance(condition=10.):
  q, _ = np.linalg.qr(RNG.normal(size=(D, D)))
  return q @ np.diag(np.logspace(0, -np.log10(condition), D)) @ q.T


MEANS = RNG.normal(size=(2, D))


@pytest.mark.parametrize('condition', [10., 1e6, 1e12])
def test_against_scipy(condition):
  linalg = pytest.importorskip('scipy.linalg')
  c1, c2 = covariance(condition), covariance(condition)
  root = linalg.sqrtm(c1 @ c2).real
  expected = (np.sum((MEANS[0] - MEANS[1])**2)
              + np.trace(c1 + c2) - 2 * np.trace(root))
  with jax.enable_x64(True):
    out = jax.jit(losses.frechet)(MEANS[0], c1, MEANS[1], c2)
    np.testing.assert_allclose(out, expected, rtol=1e-7)
  out = jax.jit(losses.frechet)(MEANS[0], c1, MEANS[1], c2)
  np.testing.assert_allclose(out, expected, rtol=1e-3)


def test_singular_covariances():
  # Laws on two lines that share a plane: tr of the root is |u . v|.
  u, v = RNG.normal(size=(2, D))
  with jax.enable_x64(True):
    out = jax.jit(losses.frechet)(
        MEANS[0], np.outer(u, u), MEANS[0], np.outer(v, v))
    np.testing.assert_allclose(
        out, u @ u + v @ v - 2 * abs(u @ v), rtol=1e-6)
    zero = np.zeros((D, D))
    np.testing.assert_allclose(
        losses.frechet(MEANS[0], zero, MEANS[0], np.outer(u, u)), u @ u)


def test_diagonal_covariances_have_a_closed_form():
  s1, s2 = RNG.uniform(.5, 2., size=(2, D))
  out = jax.jit(losses.frechet)(
      MEANS[0], np.diag(s1**2), MEANS[1], np.diag(s2**2))
  np.testing.assert_allclose(
      out, np.sum((MEANS[0] - MEANS[1])**2) + np.sum((s1 - s2)**2), rtol=1e-4)


def test_equal_laws_are_at_distance_zero():
  c = covariance()
  assert abs(jax.jit(losses.frechet)(MEANS[0], c, MEANS[0], c)) < 1e-5


@pytest.mark.parametrize('condition', [1., 10., 1e4])
def test_gradient(condition, check_gradient):
  # Condition 1 is the identity, whose eigenvalues all repeat.
  symmetric = lambda c: (c + c.T) / 2
  check_gradient(
      lambda m1, c1, m2, c2: losses.frechet(
          m1, symmetric(c1), m2, symmetric(c2)),
      MEANS[0], covariance(condition), MEANS[1], covariance(10.), rtol=1e-4,
      step=1e-6 / condition**.5)


def test_gradient_is_finite_for_singular_covariances():
  u = RNG.normal(size=D)
  grads = jax.jit(jax.grad(losses.frechet, (0, 1, 2, 3)))(
      MEANS[0], np.outer(u, u), MEANS[1], np.eye(D))
  assert all(np.isfinite(g).all() for g in grads)


@pytest.mark.parametrize('shapes', [
    ((3,), (3, 3), (3,), (3,)), ((3,), (3, 2), (3,), (3, 2)),
    ((3,), (3, 3), (2,), (2, 2)), ((), (), (), ())])
def test_bad_shapes_are_refused(shapes):
  with pytest.raises(ValueError, match='frechet'):
    losses.frechet(*map(np.ones, shapes))
