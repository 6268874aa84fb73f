"""Accuracy of a linear classifier of the codes."""
from collections.abc import Iterator
import warnings

import numpy as np

from swae_jax import options
from swae_jax.data import base as data_base
from swae_jax.evals import base


def run(view: base.View, *, max_iter: options.Count = 1000
        ) -> Iterator[base.Metric]:
  """Test accuracy of a logistic regression that is fitted to training codes.

  The regression is multinomial, on mean codes, with the weight decay of
  scikit-learn's default C = 1.  Mean and deviation of the training codes
  standardise all codes.  Binary training images are drawn once.  The protocol
  of the metric says how many steps L-BFGS took, and whether `max_iter` was too
  few.

  Yields nothing if the training examples have only one class.
  """
  data = view.data
  if len(np.unique(data.train.labels)) < 2:
    return
  train, test = map(view.encode, (data_base.fixed_train(data),
                                  data.test.images))
  name, n = 'linear_probe_accuracy', len(test)
  if not (np.isfinite(train).all() and np.isfinite(test).all()):
    yield base.Metric(name, np.nan, n)
    return
  # These imports take a second, so they wait until they are needed.
  from sklearn import exceptions, linear_model, pipeline, preprocessing
  import threadpoolctl

  classifier = linear_model.LogisticRegression(max_iter=max_iter)
  probe = pipeline.make_pipeline(preprocessing.StandardScaler(), classifier)
  # One thread: if other work keeps a core busy, threads wait for each other at
  # every step, and two threads on two cores take ten times as long.
  with threadpoolctl.threadpool_limits(1), warnings.catch_warnings():
    # The protocol of the metric says so.
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    # float64: rounding must not end the search for the optimum.
    probe.fit(train.astype(np.float64), data.train.labels)
  accuracy = probe.score(test.astype(np.float64), data.test.labels)
  steps = int(classifier.n_iter_[0])
  protocol = (f'converged in {steps} steps' if steps < max_iter else
              f'not converged in {steps} steps, set max_iter higher')
  yield base.Metric(name, float(accuracy), n, protocol=protocol)
