"""A folder of your own pictures, with a subfolder for each class or none."""
import hashlib
from typing import Annotated, Literal

import numpy as np
from PIL import Image

from swae_jax import errors, options
from swae_jax.data import base
from swae_jax.data.formats import cache, files, pictures

# Share of the pictures for validation or for the test.
Held = Annotated[float, options.Range(0, 1, open_low=True, open_high=True)]
CROPS = {'centre': pictures.centre_box, 'none': pictures.full_box}


def make(*, dir: str = '', size: options.Count = 64,
         channels: Literal[1, 3] = 3,
         crop: Literal['centre', 'none'] = 'centre',
         valid: Held = .1, test: Held = .1, seed: options.Seed = 0,
         cache_dir: str = '') -> base.Dataset:
  """All pictures of a folder, [N, size, size, channels].

  Args:
    dir: the folder of the pictures.
    size: height and width of the images.
    channels: 1 for grey, 3 for colour.
    crop: 'centre' takes the largest square in the middle; 'none' squeezes the
      whole picture to a square.
    valid: the share of pictures for validation.
    test: the share of pictures for the test.
    seed: seed of the split; a split depends on the seed and the names of the
      pictures only.
    cache_dir: the folder for decoded pictures; if empty, `dir`.
  """
  if valid + test >= 1:
    raise errors.UserError(
        f'--config.data.folder.valid={valid} and test={test}: the sum of both '
        'shares must be less than 1')
  path = files.folders('folder', dir)[1] if dir else None
  if path is None or not path.is_dir():
    raise errors.MissingData(
        f'folder: there is no folder {dir!r}: give the folder of the pictures '
        'with --config.data.dir=DIR')
  found = pictures.find(path)
  classes = _classes(found)
  names = sorted(found.names, key=lambda name: hashlib.sha256(
      f'{seed}/{name}'.encode()).digest())
  made = {'size': size, 'channels': channels, 'crop': crop, 'version': 1}
  how = pictures.Resize(size, channels, Image.Resampling.LANCZOS, CROPS[crop])
  # The order is that of the names, so that every seed shares one cache.
  images, cached = cache.images(
      cache_dir or path, 'folder', {**made, 'pictures': found.digest},
      lambda: pictures.decode(found, found.names, how))
  row = {name: i for i, name in enumerate(found.names)}
  held = _held(len(names), valid, test)
  splits = []
  for part in (names[sum(held):], names[:held[0]], names[held[0]:sum(held)]):
    labels = [classes.index(name.partition('/')[0]) if len(classes) > 1 else 0
              for name in part]
    splits.append(base.Split(images[[row[name] for name in part]],
                             np.asarray(labels, np.int32)))
  return base.check(base.Dataset(
      'folder', *splits, binarize=False, bounded=True,
      classes=max(1, len(classes)), provenance={
          'source': 'folder', **made,
          'files': {'pictures': {'path': str(path),
                                 'sha256_of_listing': found.digest},
                    'cache': {'path': str(cached)}},
          'classes': classes,
          'difference': f'own pictures, {len(names):,}; split by a hash of '
                        f'their names with seed {seed}'}))


def _classes(found):
  """Sorted names of the subfolders; [] if there is no subfolder."""
  if len(found.names) < 3:
    raise errors.MissingData(
        f'folder: {found.path} has {len(found.names)} pictures '
        f'({", ".join(pictures.SUFFIXES)}), but three splits need three '
        'pictures')
  nested = {'/' in name for name in found.names}
  if len(nested) > 1:
    loose = next(name for name in found.names if '/' not in name)
    raise errors.UserError(
        f'folder: {found.path} has pictures in subfolders and beside them, '
        f'such as {loose}: put either every picture or no picture into a '
        'subfolder; each subfolder is a class')
  return sorted({name.partition('/')[0] for name in found.names
                 if '/' in name})


def _held(count, valid, test):
  """The numbers of pictures for valid and for test, each at least 1."""
  return max(1, round(valid * count)), max(1, round(test * count))
