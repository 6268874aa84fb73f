"""Distance between the law of the codes and the prior."""
from collections.abc import Iterator
from typing import Annotated

import jax
import numpy as np

from swae_jax import losses, options, priors
from swae_jax.evals import base


def run(view: base.View, *, points: Annotated[int, options.Range(2)] = 2000,
        directions: options.Count = 100) -> Iterator[base.Metric]:
  """Sliced Wasserstein distance and MMD between test codes and the prior.

  Each code is one draw, or the mean code if the encoder is deterministic.
  Metrics `latent_*` compare the codes with as many samples of the prior;
  metrics `prior_*` compare these samples with other samples: the floor.

  The sliced distance is the mean of W_2^2 over fixed directions.  Its floor
  falls with the number of points, so the name of the metric has the number.
  The MMD is the U-statistic, which may be negative.  Its kernel is
  C / (C + |z - z'|^2), where C is twice the trace of the prior's covariance.
  For a normal prior this is the constant of Tolstikhin et al. 2018.

  Yields nothing for fewer than two test examples.
  """
  n = min(points, len(view.data.test.images))
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
def _distances(z, z_prior, theta, scale):
  """Both distances.  [N, D], [N, D], [L, D], scalar -> 2 scalars."""
  return (losses.sliced_wasserstein(z, z_prior, theta),
          losses.mmd(z, z_prior, losses.imq(scale)))
