"""Distances of features by other routes."""
import numpy as np
import pytest

from swae_jax import errors, losses
from swae_jax.evals import comparisons

RNG = np.random.default_rng(0)


def features(n, d=4, shift=0., scale=1.):
  return (shift + scale * RNG.normal(size=(n, d))).astype(np.float32)


@pytest.mark.parametrize('n, chunk', [(50, 7), (50, 50), (49, 7), (8, 1)])
def test_moments_are_those_of_numpy(n, chunk, monkeypatch):
  monkeypatch.setattr(comparisons, 'CHUNK', chunk)
  x = features(n, shift=1000., scale=.01)  # Squares would lose all digits.
  mean, cov = comparisons.moments(x)
  np.testing.assert_allclose(mean, np.mean(np.float64(x), 0), rtol=1e-14)
  np.testing.assert_allclose(cov, np.cov(np.float64(x).T), rtol=1e-9,
                             atol=1e-18)
  assert mean.dtype == cov.dtype == np.float64


@pytest.mark.parametrize('scales', [np.ones(6), np.logspace(0, -4, 6)])
def test_frechet_is_that_of_scipys_root(scales):
  linalg = pytest.importorskip('scipy.linalg')
  x, y = ((features(40, 6) * scales).astype(np.float32) for _ in range(2))
  y = y + np.float32(.1)
  (m1, c1), (m2, c2) = ((z.mean(0), np.cov(z.T)) for z in np.float64([x, y]))
  expected = (np.sum((m1 - m2)**2) + np.trace(c1 + c2)
              - 2 * np.trace(linalg.sqrtm(c1 @ c2).real))
  found = comparisons.frechet(x, y)['frechet']
  assert found == pytest.approx(expected, rel=1e-8)


def test_frechet_of_fewer_examples_than_axes():
  # For rank-deficient covariances, the singular values of the data suffice.
  x, y = features(5, 12), features(7, 12, shift=.5)
  a, b = ((z - z.mean(0)) / (len(z) - 1)**.5 for z in map(np.float64, (x, y)))
  expected = (np.sum((x.mean(0) - y.mean(0))**2) + np.sum(a**2) + np.sum(b**2)
              - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum())
  found = comparisons.frechet(x, y)['frechet']
  assert found == pytest.approx(expected, rel=1e-6)
  assert comparisons.frechet(x, x)['frechet'] == pytest.approx(0, abs=1e-6)


def test_kernel_of_few_examples_takes_all():
  x, y = features(30), features(30, shift=.2)
  found = comparisons.kernel(x, y)['kernel']
  assert found == pytest.approx(float(losses.kid(x, y)), rel=1e-4)


def test_kernel_of_many_examples_is_a_mean_over_subsets(monkeypatch):
  monkeypatch.setattr(comparisons, 'SUBSET', 10)
  x, y = features(200), features(150, shift=.5)
  found = comparisons.kernel(x, y)['kernel']
  assert found == comparisons.kernel(x, y)['kernel']
  assert found != pytest.approx(float(losses.kid(x[:10], y[:10])), rel=1e-3)
  assert found == pytest.approx(float(losses.kid(x, y)), rel=.3)


def test_sliced_is_that_of_moved_normals():
  # Shifted copies: along theta the cost is (theta . shift)^2, 1 / D of it.
  x = features(200, 8)
  shift = np.float32(RNG.normal(size=8))
  found = comparisons.sliced(x, x + shift)['sliced']
  assert found == pytest.approx(3 * np.sum(shift**2), rel=.1)


def naive(real, generated, k):
  """Every ball and every point."""
  real, generated = np.float64(real), np.float64(generated)
  distance = lambda a, b: np.sqrt(np.sum((a - b)**2))

  def radius(x, i):
    return sorted(distance(x[i], x[j]) for j in range(len(x)) if j != i)[k - 1]

  r, g = ([radius(x, i) for i in range(len(x))] for x in (real, generated))
  inside = np.array([[distance(a, b) <= r[i] for b in generated]
                     for i, a in enumerate(real)])
  recalled = [any(distance(a, b) <= g[j] for j, b in enumerate(generated))
              for a in real]
  return {'precision': inside.any(0).mean(), 'recall': np.mean(recalled),
          'density': inside.sum() / (k * len(generated)),
          'coverage': inside.any(1).mean()}


@pytest.mark.parametrize('chunk', [7, 1000])
@pytest.mark.parametrize('n, m, shift, scale', [
    (30, 30, 0., 1.), (25, 40, 1., .3), (40, 25, .5, 3.)])
def test_manifold_is_that_of_loops(n, m, shift, scale, chunk, monkeypatch):
  monkeypatch.setattr(comparisons, 'CHUNK', chunk)
  x, y = features(n, 2), features(m, 2, shift, scale)
  found, expected = comparisons.manifold(x, y), naive(x, y, 5)
  assert found == pytest.approx(expected, abs=1e-12)
  assert len({round(v, 3) for v in expected.values()}) > 1


def test_manifold_of_equal_and_of_distant_samples():
  x = features(30)
  same = comparisons.manifold(x, x)
  assert same['precision'] == same['recall'] == same['coverage'] == 1
  assert set(comparisons.manifold(x, x + 100).values()) == {0.}


@pytest.mark.parametrize('d', [4, 16, 37])
@pytest.mark.parametrize('shift', [0, 100])
def test_manifold_of_repeated_points(shift, d):
  """Each of 10 points 7 times: all balls have the radius 0."""
  points = features(10, d) + shift
  x = np.repeat(points, 7, 0).astype('float32')
  assert comparisons.manifold(x, x[::-1]) == pytest.approx(
      {'precision': 1, 'recall': 1, 'density': 7 / 5, 'coverage': 1})


def test_manifold_needs_neighbours():
  with pytest.raises(errors.UserError, match='more than 5'):
    comparisons.manifold(features(5), features(30))
