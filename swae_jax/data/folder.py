"""Anyone's pictures: a folder, with a subfolder for each class or with none."""
import hashlib

import numpy as np
from PIL import Image

from swae_jax import errors
from swae_jax.data import base
from swae_jax.data.formats import cache, files, pictures

CROPS = {'centre': pictures.centre, 'none': pictures.whole}


def make(*, dir='', size=64, channels=3, crop='centre', valid=.1, test=.1,
         seed=0, cache_dir=''):
  """Pictures [N, size, size, channels] of all of `dir`.

  `channels` is 1 (grey) or 3; `crop` is 'centre', the largest square in the
  middle, or 'none', the whole picture squeezed.  `valid` and `test` are the
  shares held out, drawn by `seed` from the names alone.  Decoded pictures are
  kept in `cache_dir`; if that is empty, in `dir`.
  """
  _check_options(size, channels, crop, valid, test)
  path = files.folders('folder', dir)[1] if dir else None
  if path is None or not path.is_dir():
    raise errors.MissingData(
        f'folder: there is no folder {dir!r}: name the one that holds the '
        'pictures with --config.data.dir=DIR')
  found = pictures.pictures(path)
  classes = _classes(found)
  names = sorted(found.names, key=lambda name: hashlib.sha256(
      f'{seed}/{name}'.encode()).digest())
  options = {'size': size, 'channels': channels, 'crop': crop, 'version': 1}
  how = pictures.How(size, channels, Image.Resampling.LANCZOS, CROPS[crop])
  # In the order of the names: another split has the same cache.
  images, cached = cache.images(
      cache_dir or path, 'folder', {**options, 'pictures': found.digest},
      lambda: pictures.images(found, found.names, how))
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
          'source': 'folder', **options,
          'files': {'pictures': {'path': str(path),
                                 'sha256_of_listing': found.digest},
                    'cache': {'path': str(cached)}},
          'classes': classes,
          'difference': f'own pictures, {len(names):,}; split by a hash of '
                        f'their names with seed {seed}'}))


def _check_options(size, channels, crop, valid, test):
  if crop not in CROPS or channels not in pictures.MODES or size < 1:
    raise errors.UserError(
        f'folder: size must be positive, channels 1 or 3, crop one of '
        f'{", ".join(CROPS)}, found {size}, {channels}, {crop!r}')
  if not (0 < valid and 0 < test and valid + test < 1):
    raise errors.UserError('folder: valid and test must be positive and less '
                           f'than 1 together, found {valid} and {test}')


def _classes(found):
  """Names of the first folders on the way to the pictures; [] without."""
  if len(found.names) < 3:
    raise errors.MissingData(
        f'folder: {found.path} has {len(found.names)} pictures '
        f'({", ".join(pictures.SUFFIXES)}), and three splits need three')
  nested = {'/' in name for name in found.names}
  if len(nested) > 1:
    loose = next(name for name in found.names if '/' not in name)
    raise errors.UserError(
        f'folder: {found.path} has pictures in subfolders and beside them, '
        f'such as {loose}: put all in subfolders, one for each class, or none')
  return sorted({name.partition('/')[0] for name in found.names
                 if '/' in name})


def _held(count, valid, test):
  """How many pictures are for valid and for test: one at least."""
  return max(1, round(valid * count)), max(1, round(test * count))
