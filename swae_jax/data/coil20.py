"""COIL-20 (Nene et al. 1996): 20 objects on a turntable, every 5 degrees."""
import hashlib
import math
import re

import numpy as np
from PIL import Image

from swae_jax import errors
from swae_jax.data import base
from swae_jax.data.formats import files, pictures

OBJECTS, VIEWS = 20, 72
MOST = 1 << 25  # Bytes of all 128x128 images, and some more.
TRAIN, VALID = 1040, 200  # The other 200 are for the test.
SPLIT_SEED = 14
# sha256 of the 32x32 images, ordered by object, then by view.
SHA256 = '401b0d932d09d129b025304688689ae33c73fd49fe7ee88d6403ae4b36de5655'
CHOICES = ('coil-20-proc.zip', 'coil-20-proc', 'coil20_128.npz', 'COIL20.mat')


def make(*, dir: str = '') -> base.Dataset:
  """COIL-20 [N, 32, 32, 1], grey: 1,040 training, 200 valid, 200 test images.

  A pixel is the rounded mean of 4x4 pixels of the 128x128 images.  Systems see
  pixels in [0, 1].

  Args:
    dir: the folder of the data sets, or of COIL-20.
  """
  path = files.find('coil20', dir, *CHOICES)
  if path is None:
    raise files.missing('coil20', dir, f'one of {", ".join(CHOICES)}')
  images, read = _read(path)
  files.check(path, hashlib.sha256(images.tobytes()).hexdigest(), SHA256,
              'sha256 (of the 32x32 images)')
  labels = np.repeat(np.arange(OBJECTS, dtype=np.int32), VIEWS)
  # NumPy promises never to change the stream of RandomState.
  order = np.random.RandomState(SPLIT_SEED).permutation(len(images))
  parts = np.split(order, [TRAIN, TRAIN + VALID])
  return base.check(base.Dataset(
      'coil20', *(base.Split(images[i], labels[i]) for i in parts),
      binarize=False, bounded=True, classes=OBJECTS,
      provenance={
          'source': path.name,
          'read': read,
          'files': {path.name: {'path': files.record(path),
                                'sha256_32x32': SHA256}},
          'difference': 'none: the full set, means of 4x4 pixels rounded to 8 '
                        f'bits; split {TRAIN}/{VALID}/{len(parts[2])}, '
                        f'permuted with seed {SPLIT_SEED}'}))


def _read(path):
  """All images uint8 [1440, 32, 32, 1], from any file of CHOICES; notes."""
  read = []
  if path.suffix == '.mat':
    sums = _mat_sums(path)
  else:
    large, read = ((_npz(path), []) if path.suffix == '.npz'
                   else _pngs(path))
    blocks = large.reshape(-1, 32, 4, 32, 4).astype(np.uint16)
    sums = blocks.sum((2, 4), dtype=np.uint16)
  images = ((sums + 8) // 16).astype(np.uint8)[..., None]  # .5 rounds up.
  return images, read


def _damaged(path, fault):
  return errors.DamagedData(f'{path}: {fault}: fetch the file again')


def _npz(path):
  """The array `images` [1440, 128, 128, 1] of the file."""
  images, = files.npz(path, 'images', most=MOST)
  if images.shape != (OBJECTS * VIEWS, 128, 128, 1) or images.dtype != np.uint8:
    raise _damaged(path, f'images are {images.dtype} {list(images.shape)}')
  return images


def _mat_sums(path):
  """Sums of 4x4 pixels [1440, 32, 32], from the file's means in [0, 1]."""
  import scipy.io  # The import is slow, and only this function needs it.
  try:
    # The sizes come first: the file may be packed.
    sizes = {name: math.prod(shape)
             for name, shape, _ in scipy.io.whosmat(path)}
    if sizes['fea'] != OBJECTS * VIEWS * 1024:
      raise ValueError(f'fea has {sizes["fea"]} numbers')
    fea = scipy.io.loadmat(path, variable_names=['fea'])['fea']
  except Exception as e:  # Damaged files raise almost anything.
    raise _damaged(path, f'the file is not a MATLAB file with fea ({e})') from e
  fea = fea.T if fea.shape == (1024, OBJECTS * VIEWS) else fea
  if fea.shape != (OBJECTS * VIEWS, 1024):
    raise _damaged(path, f'fea is {list(fea.shape)}, expected [1440, 1024]')
  # MATLAB counts down the columns first.
  columns = fea.reshape(-1, 32, 32).transpose(0, 2, 1)
  return np.rint(columns * (255 * 16)).astype(np.uint16)


def _pngs(path):
  """Images [1440, 128, 128, 1] of obj<1..20>__<0..71>.png; notes on them."""
  found = pictures.find(path)
  by_number = {}
  for name in found.names:
    match = re.fullmatch(r'(?:.*/)?obj(\d+)__(\d+)\.png', name)
    if match:
      by_number[int(match[1]) - 1, int(match[2])] = name
  wanted = [(o, v) for o in range(OBJECTS) for v in range(VIEWS)]
  lost = [f'obj{o + 1}__{v}.png' for o, v in wanted if (o, v) not in by_number]
  if lost:
    raise _damaged(path, f'{len(lost)} pictures are missing, first {lost[0]}')
  how = pictures.Resize(128, 1, Image.Resampling.NEAREST, pictures.full_box)
  names = [by_number[key] for key in wanted]
  others = set(found.names) - set(names)
  if others:
    found.left_out['not of the set'] = list(others)
  images = pictures.decode(found, names, how)
  return images, pictures.summary(found, len(names))
