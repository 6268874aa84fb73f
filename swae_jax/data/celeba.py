"""CelebA (Liu et al. 2015), aligned: 202,599 faces, without labels."""
import collections
import csv
import hashlib
from typing import Literal
import zlib

import numpy as np
from PIL import Image

from swae_jax import errors, options
from swae_jax.data import base
from swae_jax.data.formats import archives, cache, files, pictures, tfds

SIZES = (162770, 19867, 19962)  # Official sizes of train, valid, test.
WIDTH, HEIGHT = 178, 218  # Official sizes of a picture.
CROP = 140
# The png pictures have the names of the list, but for the ending.
PICTURES = ('img_align_celeba.zip', 'img_align_celeba',
            'img_align_celeba_png.zip', 'img_align_celeba_png',
            'celeba_10k_89x109.zip')
SEVEN = 'img_align_celeba_png.7z.001'  # The official archive of these.
# The folders of the official set, and those of its copies.
INNER = ('', 'Img', 'Anno', 'Eval', 'CelebA', 'CelebA/Img', 'CelebA/Anno',
         'CelebA/Eval')
MOST = 1 << 26  # Bytes of a list; the official ones have 5 MB at most.
# Files with the split (0, 1, 2) and files with the person of each picture.
PARTITION = ('list_eval_partition.txt', 'list_eval_partition.csv',
             'celeba_10k_list.csv')
IDENTITY = ('identity_CelebA.txt', 'celeba_10k_list.csv')
NEEDED = (
    'img_align_celeba.zip (1443490838 bytes, sha256 46fb89443c578308acf364d7d37'
    '9fe1b9efb793042c0af734b6112e4fd3a8c74), or its pictures in a folder '
    'img_align_celeba,')
NEEDED_PARTITION = (
    'list_eval_partition.txt (sha256 fc955bcb3ef8fbdf7d5640d9a8693a8431b5f2ee29'
    '1a5c1449a1549e7e073fe7)')
NEEDED_IDENTITY = (
    'identity_CelebA.txt (md5 32bd1bd63d3c78cd57e08160ec5ed1e2), to split '
    'pictures of one partition by persons,')


def _close(width, height):
  """The middle 140x140 of 178x218 pixels; the box scales with the picture."""
  side = round(CROP * width / WIDTH)
  left, top = (width - side) // 2, (height - side) // 2
  return left, top, left + side, top + side


# Filter and box, each as in the released code of its paper (see `make`).
CROPS = {
    'none': (Image.Resampling.BILINEAR, pictures.full_box),
    'close140': (Image.Resampling.LANCZOS, _close),
}


def make(*, dir: str = '', size: options.Count = 64,
         crop: Literal['none', 'close140'] = 'none',
         cache_dir: str = '') -> base.Dataset:
  """CelebA [N, size, size, 3] with the official splits.

  The splits have 162,770 training, 19,867 validation and 19,962 test images.
  Systems see pixels in [0, 1]; the released code of Tolstikhin et al. 2018 has
  pixels in [-1, 1].

  Args:
    dir: the folder of the data sets, which has a folder `celeba`, or the folder
      of CelebA.
    size: height and width of the images.
    crop: 'none' squeezes the whole picture to a square, as in Sun & Guo 2021;
      'close140' takes the middle 140x140 pixels of the picture, as in
      Tolstikhin et al. 2018.
    cache_dir: the folder for decoded pictures; if empty, swae_jax in the user's
      folder for caches.
  """
  how = pictures.Resize(size, 3, *CROPS[crop])
  made = {'crop': crop, 'size': size, 'version': 2}
  path = _find(dir, *PICTURES)
  if path is not None:
    return _listed(path, dir, how, made, cache_dir)
  prepared = tfds.find('celeb_a', dir)
  if prepared is not None:
    return _prepared(prepared, how, made, cache_dir)
  seven = _find(dir, SEVEN)
  if seven is not None:
    raise errors.MissingData(
        f'celeba: {seven} is a 7z file, which Python lacks: unpack it there, '
        f'as by 7z x {SEVEN}')
  raise files.missing('celeba', dir, NEEDED)


def _find(dir, *choices):
  """The first file or folder of `choices`, in any layout of the set."""
  return files.find('celeba', dir, *(
      f'{inner}/{choice}'.lstrip('/') for choice in choices
      for inner in INNER))


def _listed(path, dir, how, made, cache_dir):
  """The data set of all pictures at `path` that the lists name."""
  found = pictures.find(path)
  listed = _find(dir, *PARTITION)
  if listed is None:
    raise files.missing('celeba', dir, NEEDED_PARTITION)
  member, partition = _matched(found, _column(listed, 'partition'), listed)
  difference = _difference(found, member, partition)
  if len(set(partition.values())) < 3:
    partition = _by_person(partition, dir)
    difference += '; of one partition only, so split by person, 8:1:1'
  names = sorted(partition, key=lambda name: (partition[name], name))
  parts = [partition[name] for name in names]
  images = pictures.kept(cache_dir, 'celeba', {**made, 'names': names}, found,
                         [member[name] for name in names], how)
  return _dataset(images, np.bincount(parts, minlength=3), difference, {
      path.name: {'path': files.record(path),
                  'sha256_of_listing': found.digest},
      listed.name: {'path': files.record(listed),
                    'sha256': files.digest(listed)}},
      made, pictures.summary(found, len(names)))


def _matched(found, partition, listed):
  """{name in the list: name of the picture}, and the partition of these."""
  stem = lambda name: name.rpartition('/')[2].rpartition('.')[0]
  by_stem, member = {}, {}
  for name in found.names:
    other = by_stem.setdefault(stem(name), name)
    if other != name:
      raise errors.DamagedData(f'{found.path}: {other} and {name} are two '
                               'pictures of one name: remove one')
  for name in partition:
    if stem(name) in by_stem:
      member[name] = by_stem.pop(stem(name))
  if not member:
    raise errors.DamagedData(f'{found.path} has none of the pictures that '
                             f'{listed} names: fetch both again')
  for why, names in ((f'not in {listed.name}', by_stem.values()),
                     (f'in {listed.name} without a picture',
                      partition.keys() - member.keys())):
    if names:
      found.left_out[why] = list(names)
  return member, {name: partition[name] for name in member}


def _difference(found, member, partition):
  """How the pictures differ from the official set, in words."""
  first = member[min(partition)]
  width, height = pictures.size(found, first)
  if (width, height) != (WIDTH, HEIGHT):
    shape = f', {width}x{height} instead of {WIDTH}x{HEIGHT}'
  else:
    shape = ''
  if len(partition) == sum(SIZES) and not shape:
    return 'none: the full set'
  return f'{len(partition):,} of {sum(SIZES):,} pictures{shape}'


def _by_person(partition, dir):
  """A partition 8:1:1 in which no person is in two splits."""
  listed = _find(dir, *IDENTITY)
  if listed is None:
    raise files.missing('celeba', dir, NEEDED_IDENTITY)
  persons, out = _column(listed, 'identity'), {}
  for name in partition:
    if name not in persons:
      raise errors.DamagedData(f'{listed}: {name} is not there: fetch the file '
                               'again')
    digest = hashlib.sha256(str(persons[name]).encode()).digest()
    # A hash makes the split of a person independent of the other pictures.
    out[name] = max(0, int.from_bytes(digest[:8]) % 10 - 7)
  return out


def _column(path, column):
  """{picture: number} from an official list or a csv file with a header."""
  try:
    # Some editors begin a file with a mark of the encoding.
    text = archives.unpacked(path, MOST).decode('utf-8-sig')
    if path.suffix == '.txt':
      rows = [line.split() for line in text.splitlines() if line.strip()]
    else:
      rows = [(row.get('filename') or row['image_id'], row[column])
              for row in csv.DictReader(text.splitlines())]
    out = {name: int(number) for name, number in rows}
    if len(out) < len(rows):
      twice, _ = collections.Counter(row[0] for row in rows).most_common(1)[0]
      raise ValueError(f'{twice} is there twice')
    if column == 'partition' and not set(out.values()) <= {0, 1, 2}:
      raise ValueError('a partition is not 0, 1 or 2')
    return out
  except (OSError, EOFError, KeyError, TypeError, ValueError, csv.Error,
          zlib.error) as e:
    raise errors.DamagedData(
        f'{path}: the file is not a list of pictures and their {column} ({e}): '
        'fetch the file again') from e


def _prepared(folder, how, made, cache_dir):
  """The data set that tensorflow-datasets has prepared in a folder."""
  splits = tfds.splits(folder, 'train', 'validation', 'test')
  sizes = [len(split) for split in splits]
  rows = [(split, i) for split, size in zip(splits, sizes, strict=True)
          for i in range(size)]

  def get(i):
    split, row = rows[i]
    return pictures.resized(Image.fromarray(split[row]['image']), how)

  info = folder / 'dataset_info.json'
  images = cache.kept(
      cache_dir, 'celeba',
      {**made, 'tfds': files.digest(info), 'sizes': sizes},
      lambda: {'images': pictures.decode_all(len(rows), how, get)})['images']
  known = ('none: the full set' if tuple(sizes) == SIZES
           else f'{sum(sizes):,} of {sum(SIZES):,} pictures')
  return _dataset(
      images, sizes, f'{known}, in the order of tensorflow-datasets',
      {info.name: {'path': files.record(info),
                   'sha256': files.digest(info)}}, made, [])


def _dataset(images, sizes, difference, origin, made, read):
  """The data set; its splits are views of `images`, which is 2.5 GB."""
  parts = np.split(images, np.cumsum(sizes)[:-1])
  return base.check(base.Dataset(
      'celeba', *(base.Split(part, np.zeros(len(part), np.int32))
                  for part in parts),
      binarize=False, bounded=True, classes=1,
      provenance={'source': next(iter(origin)), 'files': origin, **made,
                  'read': read, 'difference': difference}))
