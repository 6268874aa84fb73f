"""Small data sets and views of systems that are plain functions."""
import numpy as np

from swae_jax.data import base as data_base
from swae_jax.evals import base


def random(n, shape=(2, 2, 1), seed=0):
  """uint8 [n, *shape]."""
  rng = np.random.default_rng(seed)
  return rng.integers(256, size=(n, *shape), dtype=np.uint8)


def split(images, classes=1):
  """Images with labels 0, 1, ..., 0, 1, ..."""
  return data_base.Split(images, np.arange(len(images), dtype=np.int32)
                         % classes)


def flat(x):
  """The pixels of each image as its code."""
  return data_base.to_float(x).reshape(len(x), -1)


def dataset(test, train=None, valid=None, classes=1, **more):
  """A data set of these images; without others all splits are the same."""
  train, valid = (test if x is None else x for x in (train, valid))
  return data_base.Dataset(**{
      'name': 'toy', 'train': split(train, classes),
      'valid': split(valid, classes), 'test': split(test, classes),
      'binarize': False, 'bounded': True, 'classes': classes, 'provenance': {},
      **more})


def view(data, encode=data_base.to_float, decode=lambda z: z, sample=None,
         draw=None):
  """A view of the data; an array of images stands for a data set of them."""
  data = dataset(data) if isinstance(data, np.ndarray) else data
  return base.View(encode, decode, sample, data, None, draw)


def numbers(found):
  """{name: value} of the metrics that an evaluator yields."""
  return {m.name: m.value for m in found if isinstance(m, base.Metric)}
