"""Distances between two samples of features: real [N, D] and generated [M, D].

Each comparison returns {name: value}.
"""
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from swae_jax import errors, losses, priors

CHUNK = 1000  # Rows of features, or of distances, in memory at once.
SUBSETS, SUBSET = 100, 1000  # Subsets of the KID, and examples in each.
DIRECTIONS = 1000
NEIGHBOURS = 5


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Mean [D] and covariance [D, D] (divisor N - 1) in float64, by chunks."""
  n, mean, scatter = 0, np.zeros(()), np.zeros(())
  for start in range(0, len(features), CHUNK):
    rows = features[start:start + CHUNK].astype(np.float64)
    here = rows.mean(0)
    rows -= here
    step, m = here - mean, len(rows)
    # Merges moments about the mean of each chunk: a difference of squares
    # would lose digits.
    scatter = scatter + rows.T @ rows + np.outer(step, step) * (n * m / (n + m))
    mean, n = mean + step * (m / (n + m)), n + m
  return mean, scatter / (n - 1)


def frechet(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
  """Frechet distance of two normal laws with the moments of the samples."""
  # Covariances are singular if N <= D, so they need float64, which a TPU
  # lacks.
  with jax.enable_x64(True), jax.default_device(
      jax.local_devices(backend='cpu')[0]):
    value = _frechet(*moments(real), *moments(generated))
    return {'frechet': float(value)}


_frechet = jax.jit(losses.frechet)


def kernel(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
  """Mean KID of random subsets; one KID if a subset holds all examples."""
  n = min(SUBSET, len(real), len(generated))
  whole = n == len(real) == len(generated)
  rng = np.random.default_rng(0)
  pick = lambda x: x[rng.choice(len(x), n, replace=False)]
  values = [_kid(pick(real), pick(generated))
            for _ in range(1 if whole else SUBSETS)]
  return {'kernel': float(np.mean(values))}


_kid = jax.jit(losses.kid)


def sliced(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
  """3 D times the sliced squared Wasserstein-2 distance.

  Berthet et al., "MIND: Monge Inception distance for generative models
  evaluation", arXiv 2605.06797, 2026.  The factor brings the distance to the
  scale of the FID.
  """
  d = real.shape[1]
  theta = priors.directions(jax.random.key(0), DIRECTIONS, d)
  return {'sliced': 3 * d * float(_sliced(real, generated, theta))}


_sliced = jax.jit(losses.sliced_wasserstein)


def manifold(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
  """Precision, recall, density and coverage.

  Each metric counts examples of one sample that lie in balls around the
  examples of the other sample, or balls that contain such an example.  The
  radius of a ball is the distance from its centre to the 5th neighbour in the
  sample of the centre.  Precision and recall: Kynkaanniemi et al., "Improved
  precision and recall metric for assessing generative models", 2019, eq. 2.
  Density and coverage: Naeem et al., "Reliable fidelity and diversity metrics
  for generative models", 2020, section 3.
  """
  n, m = len(real), len(generated)
  centre = real.mean(0, dtype=np.float64).astype(real.dtype)
  real, generated = real - centre, generated - centre
  if min(n, m) <= NEIGHBOURS:
    raise errors.UserError(f'prdc: more than {NEIGHBOURS} examples a side are '
                           f'needed, found {n} and {m}')
  r_real, r_generated = _radii(real), _radii(generated)
  balls, recalled, covered = np.zeros(m), 0, 0
  for start in range(0, n, CHUNK):
    rows = slice(start, start + CHUNK)
    counts = _counts(real[rows], generated, r_real[rows], r_generated)
    balls += np.asarray(counts.balls)
    recalled += int(counts.inside)
    covered += int(counts.covered)
  return {'precision': float(np.mean(balls > 0)), 'recall': recalled / n,
          'density': float(np.mean(balls)) / NEIGHBOURS,
          'coverage': covered / n}


def _radii(x):
  """Squared distance of each row to its 5th neighbour.  [N, D] -> [N]."""
  return np.concatenate([np.asarray(_reach(x[start:start + CHUNK], x, start))
                         for start in range(0, len(x), CHUNK)])


@jax.jit
def _reach(rows, x, start):
  """Squared distance of each row x[start:start + n] to its 5th neighbour."""
  d2 = losses.squared_distances(rows, x)
  # A row is not its own neighbour; rounding may leave its distance above 0.
  own = start + jnp.arange(len(rows))[:, None] == jnp.arange(len(x))[None]
  return -jax.lax.top_k(jnp.where(own, -jnp.inf, -d2), NEIGHBOURS)[0][:, -1]


class _Counts(NamedTuple):
  """Counts of points in balls.

  Attributes:
    balls: real balls that contain each generated point [M].
    inside: number of real points inside a generated ball.
    covered: number of real points whose ball contains a generated point.
  """
  balls: jax.Array
  inside: jax.Array
  covered: jax.Array


@jax.jit
def _counts(real, generated, r_real, r_generated):
  """_Counts of some real points; the radii are squared."""
  # A point on the edge of a ball lies inside, also where rounding moves it: the
  # distance less the largest error that is likely.
  length = lambda x: jnp.sum(x**2, 1)
  error = 2 * real.shape[1]**.5 * jnp.finfo(jnp.float32).eps
  d2 = losses.squared_distances(real, generated) - 2 * error * (
      length(real)[:, None] + length(generated)[None])
  hit = d2 <= r_real[:, None]
  return _Counts(jnp.sum(hit, 0),
                 jnp.sum(jnp.any(d2 <= r_generated[None], 1)),
                 jnp.sum(jnp.any(hit, 1)))
