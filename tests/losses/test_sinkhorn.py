"""Sinkhorn divergence against a log-domain iteration in float64."""
import sys

import jax
import numpy as np
import pytest

from swae_jax import losses

special = pytest.importorskip('scipy.special')
RNG = np.random.default_rng(0)


def entropic_cost(x, y, epsilon, iterations=2000):
  """max over potentials of mean f + mean g, the dual of the problem."""
  cost = ((x[:, None] - y[None])**2).sum(-1)
  f, g = np.zeros(len(x)), np.zeros(len(y))
  for _ in range(iterations):
    f = -epsilon * special.logsumexp((g[None] - cost) / epsilon, axis=1,
                                     b=1 / len(y))
    g = -epsilon * special.logsumexp((f[:, None] - cost) / epsilon, axis=0,
                                     b=1 / len(x))
  return f.mean() + g.mean()


@pytest.mark.parametrize('epsilon, n, m', [(3., 6, 6), (.5, 5, 8)])
def test_value_and_gradient(epsilon, n, m, check_gradient):
  pytest.importorskip('ott')
  x, y = RNG.normal(size=(n, 3)), .5 * RNG.normal(size=(m, 3)) + .5
  fn = lambda x, y: losses.sinkhorn_divergence(
      x, y, epsilon=epsilon, max_iterations=2000, threshold=1e-9)
  expected = entropic_cost(x, y, epsilon) - .5 * (
      entropic_cost(x, x, epsilon) + entropic_cost(y, y, epsilon))
  with jax.enable_x64(True):
    np.testing.assert_allclose(jax.jit(fn)(x, y), expected, rtol=1e-6)
  np.testing.assert_allclose(
      jax.jit(losses.sinkhorn_divergence, static_argnames='epsilon')(
          x, y, epsilon=epsilon), expected, rtol=.02)
  check_gradient(fn, x, y)


def test_without_the_library_it_says_how_to_get_it(monkeypatch):
  monkeypatch.setitem(sys.modules, 'ott.solvers', None)
  monkeypatch.setitem(sys.modules, 'ott', None)
  with pytest.raises(ImportError, match='pip install'):
    losses.sinkhorn_divergence(np.zeros((2, 1)), np.zeros((2, 1)))


def test_epsilon_must_be_positive():
  pytest.importorskip('ott')
  with pytest.raises(ValueError, match='epsilon'):
    losses.sinkhorn_divergence(np.zeros((2, 1)), np.zeros((2, 1)), epsilon=0)
