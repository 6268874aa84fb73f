"""The distances of FID, KID and the rest, in the features of a classifier.

It is trained on the data set itself, so it needs no weights.  None of these
numbers is a FID, nor comparable with one, and none is called so.
"""
import functools
import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import optax

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.data import batches
from swae_jax.data.formats import cache
from swae_jax.evals import base, comparisons, features
from swae_jax.networks import classifier

BATCH = 128
METRICS = {
    'fd': (comparisons.frechet, {'frechet': 'fd_classifier'}),
    'mmd': (comparisons.kernel, {'kernel': 'mmd_classifier'}),
    'prdc': (comparisons.manifold, {
        name: f'{name}_classifier'
        for name in ('precision', 'recall', 'density', 'coverage')}),
    'sliced': (comparisons.sliced, {'sliced': 'sliced_classifier'}),
}


def run(view, *, samples=10000, of='samples',
        metrics=('fd', 'mmd', 'prdc', 'sliced'), epochs=2, cache_dir=''):
  """Metrics such as fd_classifier_10k, each with its floor, of real images.

  First the accuracy of the classifier on the test images.  The images are
  those of 'standard' (see evals/features.py); those of the floor were seen in
  training.  The classifier's weights and the features of real images are kept
  in `cache_dir`.
  """
  images = features.standard(view, of, samples)
  data = view.data
  both = extractor(data, epochs, cache_dir)
  logits = features.extract(
      both._replace(fn=lambda x: both.fn(x)[1]), [data.test.images])
  accuracy = np.mean(logits.argmax(1) == data.test.labels)
  yield base.Metric('classifier_accuracy', float(accuracy), len(logits),
                    protocol=both.protocol)
  yield from features.compare(only(both), images, metrics, cache_dir)


def only(both):
  """The extractor of the features alone."""
  return both._replace(fn=lambda x: both.fn(x)[0])


def extractor(data, epochs, cache_dir):
  """The extractor of features and logits, trained on the data set."""
  if data.classes < 2:
    raise errors.UserError(f'classifier: the data set {data.name} has no '
                           'classes to train it on')
  apply = _compiled(data.classes)
  params, source = _trained(data, epochs, cache_dir)
  return features.Extractor(functools.partial(apply, params), BATCH, METRICS,
                            source, f'classifier of {epochs} epochs')


@functools.lru_cache(maxsize=4)
def _compiled(classes):
  """params, x [B, H, W, C] -> features, logits."""
  net = classifier.Classifier(classes)
  return jax.jit(lambda params, x: net.apply(params, data_base.to_float(x)))


def _trained(data, epochs, cache_dir):
  """The parameters, and on what they depend: always the same for one set."""
  net = classifier.Classifier(data.classes)
  start = net.init(jax.random.key(0), data_base.to_float(data.train.images[:1]))
  flat, unravel = jax.flatten_util.ravel_pytree(start)
  digest = hashlib.sha256(np.ascontiguousarray(data.train.images).data)
  digest.update(data.train.labels.data)
  source = {'classifier': digest.hexdigest(), 'epochs': epochs,
            'shape': data.train.images.shape, 'parameters': flat.size}
  make = lambda: np.asarray(jax.flatten_util.ravel_pytree(
      _train(net, start, data.train, epochs))[0])
  if not cache_dir:
    return unravel(make()), source
  return unravel(cache.images(cache_dir, 'classifier', source, make)[0]), source


def _train(net, params, split, epochs):
  """The parameters after some epochs of Adam, with cosine decay to 0."""
  size = len(split.images)
  batch = min(BATCH, size)
  steps = epochs * batches.per_epoch(batch, size)
  tx = optax.adam(optax.cosine_decay_schedule(1e-3, steps))

  def loss(params, x, labels):
    logits = net.apply(params, data_base.to_float(x))[1]
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(
        logits, labels))

  @jax.jit
  def step(params, opt, x, labels):
    updates, opt = tx.update(jax.grad(loss)(params, x, labels), opt)
    return optax.apply_updates(params, updates), opt

  opt = tx.init(params)
  for i in range(steps):
    rows = batches.indices(0, i, batch, size)
    params, opt = step(params, opt, split.images[rows], split.labels[rows])
  return params
