"""How far two samples of features are apart: real [N, D], generated [M, D].

Each function returns {name: value}.
"""
import jax
import jax.numpy as jnp
import numpy as np

from swae_jax import errors, losses, priors

CHUNK = 1000  # Rows in float64 at once, and rows of distances.
SUBSETS, SUBSET = 100, 1000  # Of the KID, and examples in each.
DIRECTIONS = 1000
NEIGHBOURS = 5


def moments(features):
  """Mean [D] and covariance [D, D] (divisor N - 1) in float64, by chunks."""
  n, mean, scatter = 0, 0., 0.
  for start in range(0, len(features), CHUNK):
    rows = features[start:start + CHUNK].astype(np.float64)
    here = rows.mean(0)
    rows -= here
    step, m = here - mean, len(rows)
    # Each chunk about its own mean, then merged: no difference of squares.
    scatter = scatter + rows.T @ rows + np.outer(step, step) * (n * m / (n + m))
    mean, n = mean + step * (m / (n + m)), n + m
  return mean, scatter / (n - 1)


def frechet(real, generated):
  """Frechet distance of the normal laws with their moments."""
  # Rank-deficient where N <= D, so in float64, which a TPU has not.
  with jax.enable_x64(True), jax.default_device(
      jax.local_devices(backend='cpu')[0]):
    value = _frechet(*moments(real), *moments(generated))
    return {'frechet': float(value)}


_frechet = jax.jit(losses.frechet)


def kernel(real, generated):
  """Mean of the KID over random subsets; one of all where they are small."""
  n = min(SUBSET, len(real), len(generated))
  whole = n == len(real) == len(generated)
  rng = np.random.default_rng(0)
  pick = lambda x: x[rng.choice(len(x), n, replace=False)]
  values = [_kid(pick(real), pick(generated))
            for _ in range(1 if whole else SUBSETS)]
  return {'kernel': float(np.mean(values))}


_kid = jax.jit(losses.kid)


def sliced(real, generated):
  """3 D times the sliced squared Wasserstein-2 distance.

  Berthet et al., "MIND: Monge Inception distance for generative models
  evaluation", arXiv 2605.06797, 2026; the factor brings it to the scale of the
  FID.
  """
  d = real.shape[1]
  theta = priors.directions(jax.random.key(0), DIRECTIONS, d)
  return {'sliced': 3 * d * float(_sliced(real, generated, theta))}


_sliced = jax.jit(losses.sliced_wasserstein)


def manifold(real, generated):
  """Shares of examples within the balls around those of the other sample.

  A ball reaches to the 5th neighbour in its own sample.  Precision and recall:
  Kynkaanniemi et al., "Improved precision and recall metric for assessing
  generative models", 2019, eq. 2.  Density and coverage: Naeem et al.,
  "Reliable fidelity and diversity metrics for generative models", 2020,
  section 3.
  """
  n, m = len(real), len(generated)
  if min(n, m) <= NEIGHBOURS:
    raise errors.UserError(f'prdc: more than {NEIGHBOURS} examples a side are '
                           f'needed, found {n} and {m}')
  r_real, r_generated = _radii(real), _radii(generated)
  balls, recalled, covered = np.zeros(m), 0, 0
  for start in range(0, n, CHUNK):
    rows = slice(start, start + CHUNK)
    counts, within, hit = _met(real[rows], generated, r_real[rows], r_generated)
    balls += np.asarray(counts)
    recalled, covered = recalled + int(within), covered + int(hit)
  return {'precision': float(np.mean(balls > 0)), 'recall': recalled / n,
          'density': float(np.mean(balls)) / NEIGHBOURS,
          'coverage': covered / n}


def _radii(x):
  """Squared distance of each row to its 5th neighbour.  [N, D] -> [N]."""
  return np.concatenate([np.asarray(_reach(x[start:start + CHUNK], x, start))
                         for start in range(0, len(x), CHUNK)])


@jax.jit
def _reach(rows, x, start):
  d2 = losses.squared_distances(rows, x)
  # A row is no neighbour of its own, and rounding may not make it 0.
  own = start + jnp.arange(len(rows))[:, None] == jnp.arange(len(x))[None]
  return -jax.lax.top_k(jnp.where(own, -jnp.inf, -d2), NEIGHBOURS)[0][:, -1]


@jax.jit
def _met(real, generated, r_real, r_generated):
  """Balls around each generated; how many real ones lie in one, or have any."""
  d2 = losses.squared_distances(real, generated)
  inside = d2 <= r_real[:, None]
  return (jnp.sum(inside, 0),
          jnp.sum(jnp.any(d2 <= r_generated[None], 1)),
          jnp.sum(jnp.any(inside, 1)))
