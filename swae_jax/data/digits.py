"""The 1,797 digits of 8x8 pixels that scikit-learn carries."""
import hashlib
from typing import Any

import numpy as np

from swae_jax import errors
from swae_jax.data import base

SHA256 = '87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826'
SPLIT_SEED = 0
TRAIN, VALID = 1297, 200  # The other 300 are for the test.


def make(*, binarize: bool = False) -> base.Dataset:
  """Digits [N, 8, 8, 1]: 1,297 training, 200 valid and 300 test images.

  Systems see pixels in [0, 1].

  Args:
    binarize: draws pixels as Bernoulli: anew at each training step, once for
      validation and test.
  """
  images, labels = _load()
  order = np.random.default_rng(SPLIT_SEED).permutation(len(images))
  parts = np.split(order, [TRAIN, TRAIN + VALID])
  dataset = base.Dataset(
      'digits', *(base.Split(images[i], labels[i]) for i in parts),
      binarize=False, bounded=True, classes=10,
      provenance={
          'source': 'sklearn.datasets.load_digits',
          'files': {'digits': {'sha256': SHA256}},
          'difference': 'the test part (1,797 of 5,620) of the UCI set Optical '
                        'Recognition of Handwritten Digits; own split '
                        f'{TRAIN}/{VALID}/{len(parts[2])}, '
                        f'permuted with seed {SPLIT_SEED}'})
  return base.check(base.binarize(dataset) if binarize else dataset)


def _load():
  """All digits uint8 [1797, 8, 8, 1] and their labels int32 [1797]."""
  from sklearn import datasets  # This import takes a second.
  found: Any = datasets.load_digits()
  grey = found.images.astype(np.uint8)  # 0..16
  content = grey.tobytes() + found.target.astype(np.uint8).tobytes()
  sha256 = hashlib.sha256(content).hexdigest()
  if sha256 != SHA256:
    raise errors.DamagedData(
        f'digits: the content has sha256 {sha256}, expected {SHA256}: '
        'reinstall scikit-learn')
  images = np.rint(grey * (255 / 16)).astype(np.uint8)[..., None]
  return images, found.target.astype(np.int32)
