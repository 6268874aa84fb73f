"""Accuracy of a linear classifier of the codes."""
import warnings

import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base


def run(view, *, max_iter=1000):
  """Accuracy on the test codes of logistic regression on the train codes.

  Multinomial, on mean codes that are standardised by those of train, with the
  weight decay of scikit-learn's default C = 1; training images drawn once where
  they are binary.  The protocol says how many steps of L-BFGS it took, and
  whether `max_iter` was too few.
  """
  data = view.data
  if max_iter < 1:
    raise errors.UserError(
        f'linear_probe: max_iter={max_iter}: ask for at least 1')
  if len(np.unique(data.train.labels)) < 2:
    return
  train, test = map(view.encode, (data_base.fixed_train(data),
                                  data.test.images))
  name, n = 'linear_probe_accuracy', len(test)
  if not (np.isfinite(train).all() and np.isfinite(test).all()):
    yield base.Metric(name, np.nan, n)
    return
  # These take a second: only when asked for.
  from sklearn import exceptions, linear_model, pipeline, preprocessing
  import threadpoolctl

  classifier = linear_model.LogisticRegression(max_iter=max_iter)
  probe = pipeline.make_pipeline(preprocessing.StandardScaler(), classifier)
  # Where other work keeps a core busy, threads wait for each other at every
  # step: on two cores ten times the time of one.
  with threadpoolctl.threadpool_limits(1), warnings.catch_warnings():
    # The protocol says it.
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    # In float64: rounding must not end the search for the optimum.
    probe.fit(train.astype(np.float64), data.train.labels)
  accuracy = probe.score(test.astype(np.float64), data.test.labels)
  steps = int(classifier.n_iter_[0])
  protocol = (f'converged in {steps} steps' if steps < max_iter else
              f'not converged in {steps} steps, set max_iter higher')
  yield base.Metric(name, float(accuracy), n, protocol=protocol)
