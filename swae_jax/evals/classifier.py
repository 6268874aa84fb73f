"""The distances of FID, KID and the rest, in the features of a classifier.

The classifier is trained on the data set itself, so it needs no weights from
elsewhere.  The numbers are not comparable with a FID, so no metric is named so.
"""
from collections.abc import Iterator, Mapping
import functools
from typing import Annotated, Any, Literal

import jax
from jax import flatten_util
import jax.numpy as jnp
import numpy as np
import optax

from swae_jax import errors, options
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


def run(view: base.View, *,
        samples: Annotated[int, options.Range(2)] = 10000,
        of: features.Of = 'samples',
        metrics: tuple[Literal['fd', 'mmd', 'prdc', 'sliced'], ...] = (
            'fd', 'mmd', 'prdc', 'sliced'),
        epochs: options.Count = 2, cache_dir: str = ''
        ) -> Iterator[base.Metric]:
  """Metrics such as fd_classifier_10k, each with its floor.

  The first metric is the accuracy of the classifier on the test images.  The
  images are those of features.standard.  The floor consists of training images,
  which the classifier was trained on.  The folder `cache_dir` keeps the weights
  of the classifier and the features of real images.
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


def check(dataset: data_base.Dataset, chosen: Mapping[str, Any]) -> None:
  """Refuses data without classes, or with too few images."""
  features.check(dataset, 'classifier', chosen)
  if dataset.classes < 2:
    raise errors.UserError(
        f'--config.evals.classifier.run=True: the data set {dataset.name} has '
        'no classes to train it on; set --config.evals.classifier.run=False')


def only(both: features.Extractor) -> features.Extractor:
  """The extractor of the features alone."""
  return both._replace(fn=lambda x: both.fn(x)[0])


def extractor(data: data_base.Dataset, epochs: int,
              cache_dir: str) -> features.Extractor:
  """The extractor of features and logits, trained on the data set."""
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
  """Parameters, and the facts that determine them.  The seed is fixed."""
  net = classifier.Classifier(data.classes)
  start = net.init(jax.random.key(0), data_base.to_float(data.train.images[:1]))
  flat, unravel = flatten_util.ravel_pytree(start)
  source = {'classifier': features.digest(*data.train), 'epochs': epochs,
            'parameters': flat.size}
  make = lambda: {'parameters': np.asarray(flatten_util.ravel_pytree(
      _train(net, start, data.train, epochs))[0])}
  found = (cache.kept(cache_dir, 'classifier', source, make)
           if cache_dir else make())
  return unravel(jnp.asarray(found['parameters'])), source


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
