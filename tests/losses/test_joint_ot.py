"""The symmetric system against a loop in numpy."""
import functools

import jax
import numpy as np
import pytest

from swae_jax import losses

RNG = np.random.default_rng(0)
X, X_GEN, X_REC = RNG.normal(size=(3, 4, 2, 2, 1))
Z_ENC, Z_PRIOR = RNG.normal(size=(2, 4, 3))
ARRAYS = (X, X_GEN, X_REC, Z_ENC, Z_PRIOR)


@pytest.mark.parametrize('alpha, beta, p', [
    (1., .5, 2), (.3, 0., 1), (2., 1., 3)])
def test_joint_ot(alpha, beta, p, check_gradient):
  # Weights are traced, as schedules need them.
  fn = jax.jit(lambda alpha, beta: losses.joint_ot(
      *ARRAYS, alpha=alpha, beta=beta, p=p))
  out = fn(alpha, beta)
  cost = lambda a, b: np.array([
      (np.abs(a[i] - b[i])**p).sum() for i in range(len(a))])
  terms = cost(X, X_GEN), cost(X, X_REC), cost(Z_ENC, Z_PRIOR)
  np.testing.assert_allclose(
      out.loss, beta * terms[0] + (1 - beta) * terms[1] + alpha * terms[2],
      rtol=1e-5)
  np.testing.assert_allclose(
      [out.x_loss, out.reconstruction, out.z_loss], terms, rtol=1e-5)
  check_gradient(lambda *a: losses.joint_ot(
      *a, alpha=alpha, beta=beta, p=p).loss, *ARRAYS)


def test_another_cost_takes_the_place_of_the_norm_between_images_alone():
  cost = lambda x, y: 7 * np.abs(x - y).max((1, 2, 3))
  out = losses.joint_ot(*ARRAYS, alpha=.3, beta=.2, p=1, cost=cost)
  z_loss = np.abs(Z_ENC - Z_PRIOR).sum(1)
  np.testing.assert_allclose(out.z_loss, z_loss, rtol=1e-5)
  np.testing.assert_allclose(
      out.loss, .2 * cost(X, X_GEN) + .8 * cost(X, X_REC) + .3 * z_loss,
      rtol=1e-5)


def test_defaults_are_those_of_the_paper():
  np.testing.assert_array_equal(
      losses.joint_ot(*ARRAYS).loss,
      losses.joint_ot(*ARRAYS, alpha=1., beta=.5, p=2).loss)


@pytest.mark.parametrize('shapes', [
    ((4, 2), (4, 3), (4, 2), (4, 1), (4, 1)),
    ((4, 2), (4, 2), (4, 1), (4, 1), (4, 1)),
    ((4, 2), (4, 2), (4, 2), (4, 1), (4, 2)),
    ((4, 2), (4, 2), (4, 2), (3, 1), (3, 1)),
])
def test_bad_shapes_are_refused(shapes):
  with pytest.raises(ValueError):
    losses.joint_ot(*map(np.ones, shapes))


def test_small_p_is_refused():
  with pytest.raises(ValueError, match='p must be at least 1'):
    functools.partial(losses.joint_ot, p=.9)(*ARRAYS)
