"""Distance between the law of the codes and the prior."""
import jax
import numpy as np

from swae_jax import errors, losses, priors
from swae_jax.evals import base


def run(view, *, points=2000, directions=100):
  """Sliced Wasserstein distance and MMD between test codes and the prior.

  One draw of each code, whose law the prior stands for: the mean where the
  encoder is deterministic.  `latent_*` is between codes and as many samples of
  the prior, `prior_*` between these and others, which is the floor.  The sliced
  distance is the mean of W_2^2 over fixed directions; its floor falls with the
  number of points, which is part of its name.  MMD is the U-statistic, which
  may be negative, with the kernel C / (C + |z - z'|^2), C twice the trace of
  the prior's covariance: the constant of the WAE paper for a normal prior.
  """
  n = min(points, len(view.data.test.images))
  if points < 2 or directions < 1:
    raise errors.UserError(
        f'latent_distance: points={points}, directions={directions}: ask for '
        'at least 2 points and 1 direction')
  if n < 2:
    return
  z = (view.draw or view.encode)(view.data.test.images[:n])
  first, second = np.split(view.sample(2 * n), 2)
  theta = priors.directions(jax.random.key(0), directions, z.shape[1])
  scale = 2 * second.var(0).sum()
  for name, codes in (('latent', z), ('prior', first)):
    sliced, mmd = map(float, _distances(codes, second, theta, scale))
    yield base.Metric(f'{name}_sliced_wasserstein_n{n}', sliced, n,
                      protocol=f'mean of W_2^2 over {directions} directions')
    yield base.Metric(f'{name}_mmd', mmd, n,
                      protocol='U-statistic, inverse multiquadratic kernel')


@jax.jit
def _distances(x, y, theta, scale):
  """Both between x and y.  [N, D], [N, D], [L, D], scalar -> 2 scalars."""
  return (losses.sliced_wasserstein(x, y, theta),
          losses.mmd(x, y, losses.imq(scale)))
