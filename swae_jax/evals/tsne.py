"""Codes of many dimensions in a picture of two."""
from collections.abc import Iterator
from typing import Annotated

import numpy as np

from swae_jax import options
from swae_jax.evals import base


def run(view: base.View, *, points: Annotated[int, options.Range(4)] = 2000,
        perplexity: options.Positive = 30.) -> Iterator[base.Picture]:
  """t-SNE of the first `points` mean test codes, coloured by class.

  Figure 3 of Sun and Guo 2021, with scikit-learn's defaults, which start at the
  principal axes, and a fixed seed.  The perplexity is at most a third of the
  number of points.  Sizes of clusters and distances between them mean nothing.

  Yields nothing for fewer than 4 codes, or for codes of up to 2 dimensions,
  which `latent` draws as they are.
  """
  test = view.data.test
  z = view.encode(test.images[:points])
  finite = np.isfinite(z).all(1)
  z, labels = z[finite], test.labels[:points][finite]
  if z.shape[1] <= 2 or len(z) < 4:
    return
  # These imports take a second, so they wait until they are needed.
  from sklearn import manifold
  import threadpoolctl

  from swae_jax.evals import scatter
  embedding = manifold.TSNE(
      perplexity=min(perplexity, (len(z) - 1) / 3), random_state=0)
  # One thread: if other work keeps a core busy, threads wait for each other at
  # every step, and two threads on two cores take six times as long.  The result
  # is the same.
  with threadpoolctl.threadpool_limits(1):
    places = embedding.fit_transform(z)
  fig = scatter.new(820, 720)
  axes = fig.subplots()
  scatter.by_class(axes, places, labels, view.data.classes)
  axes.set(title='Codes of test examples, in two dimensions by t-SNE',
           xlabel='distances between clusters mean nothing', xticks=[],
           yticks=[])
  scatter.legend(fig, axes, view.data.classes)
  yield base.Picture('tsne', scatter.pixels(fig))
