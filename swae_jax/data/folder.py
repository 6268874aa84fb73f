"""A folder of your own pictures, with a subfolder for each class or none."""
import hashlib
from typing import Annotated, Literal

import numpy as np
from PIL import Image

from swae_jax import errors, options
from swae_jax.data import base
from swae_jax.data.formats import files, pictures

# Share of the pictures for validation or for the test.
Held = Annotated[float, options.Range(0, 1, open_low=True, open_high=True)]
CROPS = {'centre': pictures.centre_box, 'none': pictures.full_box}


# Names of the subfolders that are splits, and not classes.
SPLITS = {'train': 'train', 'training': 'train', 'valid': 'valid',
          'validation': 'valid', 'val': 'valid', 'test': 'test',
          'testing': 'test'}


def make(*, dir: str = '', size: options.Count = 64,
         channels: Literal[1, 3] = 3,
         crop: Literal['centre', 'none'] = 'centre',
         valid: Held = .1, test: Held = .1, seed: options.Seed = 0,
         cache_dir: str = '') -> base.Dataset:
  """All pictures of a folder, [N, size, size, channels].

  Subfolders are classes.  Subfolders `train` and `valid` or `test` are splits,
  with classes or pictures in them; a split without a folder is drawn from
  those in `train`.

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
    cache_dir: the folder for decoded pictures; if empty, swae_jax in the user's
      folder for caches.
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
  given, tops = _given(found)
  classes = _classes(found, given)
  parts, difference = _parts(found, given, tops, valid, test, seed)
  made = {'size': size, 'channels': channels, 'crop': crop, 'version': 2}
  how = pictures.Resize(size, channels, Image.Resampling.LANCZOS, CROPS[crop])
  # The order is that of the names, so that every seed shares one cache.
  images = pictures.kept(cache_dir, 'folder', made, found, found.names, how)
  row = {name: i for i, name in enumerate(found.names)}
  number = {name: i for i, name in enumerate(classes)}
  splits = [base.Split(
      images[[row[name] for name in part]],
      np.asarray([number.get(_class(given[name]), 0) for name in part],
                 np.int32)) for part in parts]
  return base.check(base.Dataset(
      'folder', *splits, binarize=False, bounded=True,
      classes=max(1, len(classes)), provenance={
          'source': 'folder', **made,
          'files': {'pictures': {'path': files.record(path),
                                 'sha256_of_listing': found.digest}},
          'classes': classes,
          'read': pictures.summary(found, len(found.names)),
          'difference': f'own pictures, {len(found.names):,}; {difference}'}))


def _given(found):
  """{name: name inside its split}, and the subfolders that are splits.

  `train` and one more split must be there, or else all subfolders are classes.
  """
  tops = {name.partition('/')[0] for name in found.names if '/' in name}
  splits = {top for top in tops if top.lower() in SPLITS}
  kinds = {SPLITS[top.lower()] for top in splits}
  if 'train' not in kinds or len(kinds) < 2:
    return {name: name for name in found.names}, set()
  for name in found.names:
    if name.partition('/')[0] not in splits or '/' not in name:
      raise errors.UserError(
          f'folder: {found.path} has the splits {", ".join(sorted(splits))} '
          f'and beside them {name}: put every picture into the folder of a '
          'split, or rename these folders')
  return {name: name.partition('/')[2] for name in found.names}, splits


def _class(name):
  """The subfolder of a picture, or ''."""
  return name.rpartition('/')[0].partition('/')[0]


def _classes(found, given):
  """Sorted names of the subfolders; [] if there is no subfolder."""
  if len(found.names) < 3:
    raise errors.MissingData(
        f'folder: {found.path} has {len(found.names)} pictures '
        f'({", ".join(pictures.SUFFIXES)}), but three splits need three '
        f'pictures; {"; ".join(pictures.summary(found, len(found.names)))}')
  classes = {_class(name) for name in given.values()}
  if len(classes) > 1 and '' in classes:
    loose = next(name for name in found.names if not _class(given[name]))
    raise errors.UserError(
        f'folder: {found.path} has pictures in subfolders and beside them, '
        f'such as {loose}: put either every picture or no picture into a '
        'subfolder; each subfolder is a class')
  return sorted(classes - {''})


def _parts(found, given, tops, valid, test, seed):
  """Names of the pictures of train, valid and test; the split in words."""
  parts = {'train': [], 'valid': [], 'test': []}
  for name in sorted(found.names, key=lambda name: hashlib.sha256(
      f'{seed}/{name}'.encode(errors='surrogateescape')).digest()):
    split = name.partition('/')[0].lower() if tops else 'train'
    parts[SPLITS[split]].append(name)
  train, missing = parts['train'], [k for k, v in parts.items() if not v]
  if len(train) <= len(missing):
    raise errors.MissingData(f'folder: {found.path} has {len(train)} pictures '
                             f'to train, and {" and ".join(missing)} take some '
                             'of them: add pictures')
  held = [0 if parts[split] else max(1, round(share * len(train)))
          for split, share in (('valid', valid), ('test', test))]
  drawn = train[:held[0]], train[held[0]:sum(held)]
  words = f'split by a hash of their names with seed {seed}'
  if tops:
    words = f'split by the folders {", ".join(sorted(tops))}' + (
        f', and {" and ".join(missing)} by a hash of their names with seed '
        f'{seed}' if missing else '')
  return (train[sum(held):], parts['valid'] or drawn[0],
          parts['test'] or drawn[1]), words
