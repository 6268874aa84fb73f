"""Codes of many dimensions in a picture of two."""
import numpy as np

from swae_jax import errors
from swae_jax.evals import base


def run(view, *, points=2000, perplexity=30.):
  """t-SNE of the first `points` mean test codes, coloured by class.

  Figure 3 of the symmetric SWAE paper, with scikit-learn's defaults, which
  start at the principal axes, and a fixed seed; of few points the perplexity is
  a third at most.  How far heaps are apart and how large, means nothing in it.
  Nothing for codes of up to 2 dimensions, which `latent` draws as they are.
  """
  if perplexity <= 0:
    raise errors.UserError(f'tsne: perplexity={perplexity}: it must be '
                           'positive')
  test = view.data.test
  z = view.encode(test.images[:points])
  finite = np.isfinite(z).all(1)
  z, labels = z[finite], test.labels[:points][finite]
  if z.shape[1] <= 2 or len(z) < 4:
    return
  # These take a second: only when asked for.
  from sklearn import manifold
  import threadpoolctl

  from swae_jax.evals import scatter
  embedding = manifold.TSNE(
      perplexity=min(perplexity, (len(z) - 1) / 3), random_state=0)
  # Where other work keeps a core busy, threads wait for each other at every
  # step: on two cores six times the time of one.  The result is the same.
  with threadpoolctl.threadpool_limits(1):
    points = embedding.fit_transform(z)
  fig = scatter.new(820, 720)
  axes = fig.subplots()
  scatter.by_class(axes, points, labels, view.data.classes)
  axes.set(title='t-SNE of the codes of test examples by class', xticks=[],
           yticks=[])
  scatter.legend(fig, axes, view.data.classes)
  yield base.Picture('tsne', scatter.pixels(fig))
