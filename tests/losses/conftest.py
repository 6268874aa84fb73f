"""Finite differences, the reference of every gradient."""
import jax
import numpy as np
import pytest


def _check(loss, *inputs, step=1e-6, rtol=1e-5):
  """Compares the gradient by all inputs along one direction, in float64."""
  rng = np.random.default_rng(7)
  with jax.enable_x64(True):
    inputs = [np.asarray(a, 'float64') for a in inputs]
    along = [rng.normal(size=a.shape) for a in inputs]
    total = jax.jit(lambda *a: loss(*a).sum())
    moved = lambda h: total(
        *(a + h * v for a, v in zip(inputs, along, strict=True)))
    grads = jax.jit(jax.grad(total, range(len(inputs))))(*inputs)
    slope = sum(np.sum(g * v) for g, v in zip(grads, along, strict=True))
    assert abs(slope) > 1e-6  # A zero would compare nothing.
    np.testing.assert_allclose(
        (moved(step) - moved(-step)) / (2 * step), slope, rtol=rtol)


@pytest.fixture
def check_gradient():
  return _check
