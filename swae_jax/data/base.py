"""What every data set provides: arrays in memory, and where they came from."""
import hashlib
from typing import NamedTuple

import numpy as np

from swae_jax import errors

# One stream for each split.  Changing a number changes every published score.
BINARIZE_SEEDS = {'train': 7770, 'valid': 7771, 'test': 7772}


class Split(NamedTuple):
  """Examples and their classes."""
  images: np.ndarray  # [N, H, W, C] uint8, or float32 where they are no images
  labels: np.ndarray  # [N] int32


class Dataset(NamedTuple):
  """Three splits, and what the floors above must know of them."""
  name: str
  train: Split
  valid: Split
  test: Split
  binarize: bool  # Training images are drawn as Bernoulli at each step.
  bounded: bool  # Values lie in [0, 1] once scaled: a sigmoid reaches them.
  classes: int
  provenance: dict  # For the run's record: source, files, difference.
  grey: np.ndarray | None = None  # Test images before they were binarized.


def to_float(images):
  """uint8 [...] -> float32 [...] in [0, 1]; float32 as it is.  numpy or jax."""
  if images.dtype == np.uint8:
    # Not divided by 255: XLA multiplies by the reciprocal, and numpy does not.
    return images.astype(np.float32) * np.float32(1 / 255)
  return images


def to_uint8(images: np.ndarray) -> np.ndarray:
  """Float [...] -> uint8 [...]; clipped to [0, 1], rounded, NaN becomes 0."""
  return np.rint(np.clip(np.nan_to_num(images), 0, 1) * 255).astype(np.uint8)


def binarized(images, seed):
  """Bernoulli draw of grey images, uint8 [...] -> uint8 [...] of 0 and 255."""
  # r is uniform on 0..254, so P(r < v) is v / 255 exactly.
  r = np.random.default_rng(seed).integers(255, size=images.shape,
                                           dtype=np.uint8)
  return np.where(r < images, np.uint8(255), np.uint8(0))


def binarize(dataset):
  """The protocol of binary MNIST: valid and test are drawn once, train stays.

  The training step draws the training images anew each time.
  """
  fixed = {
      split: part._replace(images=binarized(part.images, BINARIZE_SEEDS[split]))
      for split, part in (('valid', dataset.valid), ('test', dataset.test))}
  return dataset._replace(
      binarize=True, grey=dataset.test.images, **fixed)


def fixed_train(dataset):
  """Training images as evaluators see them: drawn once where binary."""
  if dataset.binarize:
    return binarized(dataset.train.images, BINARIZE_SEEDS['train'])
  return dataset.train.images


def fingerprint(dataset):
  """sha256 (hex) of all arrays, with their shapes and types."""
  digest = hashlib.sha256()
  for split in (dataset.train, dataset.valid, dataset.test):
    for array in split:
      digest.update(f'{array.dtype.str}{array.shape}'.encode())
      digest.update(np.ascontiguousarray(array).data)
  return digest.hexdigest()


def check(dataset):
  """Returns the data set if it keeps the promises above; raises UserError."""
  shape = dataset.train.images.shape[1:]
  for name in ('train', 'valid', 'test'):
    fault = _fault(dataset, name, getattr(dataset, name), shape)
    if fault:
      raise errors.UserError(f'data set {dataset.name}, split {name}: {fault}')
  return dataset


def _fault(dataset, name, split, shape):
  """What is wrong with a split, in words; None if nothing is."""
  images, labels = split
  if images.ndim != 4 or len(images) == 0:
    return f'images must be [N, H, W, C] with N > 0, found {images.shape}'
  if images.shape[1:] != shape:
    return f'images are {images.shape[1:]}, those of train {shape}'
  if images.dtype not in (np.uint8, np.float32):
    return f'images must be uint8 or float32, found {images.dtype}'
  if labels.shape != images.shape[:1] or labels.dtype != np.int32:
    return (f'labels must be int32 [{len(images)}], found '
            f'{labels.dtype} {list(labels.shape)}')
  if labels.min() < 0 or labels.max() >= dataset.classes:
    return (f'labels must lie in 0..{dataset.classes - 1}, found '
            f'{labels.min()}..{labels.max()}')
  return _fault_of_values(dataset, name, images)


def _fault_of_values(dataset, name, images):
  if images.dtype == np.float32:
    if not np.isfinite(images).all():
      return 'values must be finite'
    if dataset.bounded and (images.min() < 0 or images.max() > 1):
      return (f'values must lie in [0, 1] where bounded, found '
              f'{images.min():g}..{images.max():g}')
  if dataset.binarize:
    if images.dtype != np.uint8:
      return f'images to be binarized must be uint8, found {images.dtype}'
    if name != 'train' and not ((images == 0) | (images == 255)).all():
      return 'images must be binary, 0 or 255, where train is binarized'
  return None
