"""CIFAR-10 (Krizhevsky 2009), and the three classes of Sun & Guo 2021."""
import hashlib

import numpy as np

from swae_jax import errors
from swae_jax.data import base
from swae_jax.data.formats import archives, files, pickles

TRAIN = 40000  # The other 10,000 training images are for validation.
SUB_CLASSES = (2, 3, 8)  # Bird, cat, ship.
SUB_TEST = 3000  # Test images of these classes.
MOST = 1 << 28  # Bytes of an unpacked archive; the official ones have 186 MB.

STEMS = (*(f'data_batch_{i}' for i in range(1, 6)), 'test_batch')
# sha1 of the official data_batch_1.bin ... test_batch.bin: records of a label
# and 3,072 bytes of planes.  The code converts other forms to this form.
SHA1 = (
    'aadd24acce27caa71bf4b10992e9e7b2d74c2540',
    'c0ba65cce70568cd57b4e03e9ac8d2a5367c1795',
    '1dd00a74ab1d17a6e7d73e185b69dbf31242f295',
    'aab85764eb3584312d3c7f65fd2fd016e36a258e',
    '26e2849e66a845b7f1e4614ae70f4889ae604628',
    '67eb016db431130d61cd03c7ad570b013799c88c',
)
FULL = ('cifar-10-batches-bin', 'cifar-10-binary.tar.gz',
        'cifar-10-batches-py', 'cifar-10-python.tar.gz')
SUB = 'cifar10_sub.npz'  # Has images, labels, split (0 train, 1 test), index.
# sha256 of the records of both splits in SUB; after each split comes its index.
SUB_SHA256 = (
    'a4cc68d0c0b89f95c2b14e11b9fde5806a1dd5b14277a62cf3aa208216e483f4')


def make(*, dir: str = '') -> base.Dataset:
  """CIFAR-10 [N, 32, 32, 3]: 40,000 training, 10,000 valid, 10,000 test images.

  Systems see pixels in [0, 1].

  Args:
    dir: the folder of the data sets, or of CIFAR-10.
  """
  path = files.find('cifar10', dir, *FULL)
  if path is None:
    raise files.missing('cifar10', dir, f'one of {", ".join(FULL)}')
  return _dataset('cifar10', path, range(10), _full(path),
                  {'sha1': dict(zip(STEMS, SHA1, strict=True))},
                  'none: the full set')


def make_sub(*, dir: str = '') -> base.Dataset:
  """Birds, cats and ships of CIFAR-10 [N, 32, 32, 3], as classes 0, 1 and 2.

  The splits have 12,029 training, 2,971 validation and 3,000 test images.
  Systems see pixels in [0, 1].

  Args:
    dir: the folder of the data sets, or of CIFAR-10.
  """
  path = files.find('cifar10', dir, *FULL, SUB)
  if path is None:
    raise files.missing('cifar10_sub', dir, f'one of {", ".join(FULL)}, {SUB}')
  if path.name == SUB:
    parts = _sub(path)
    digests = {'sha256_of_records': SUB_SHA256}
    difference = (
        f'{len(parts[2]):,} of the {SUB_TEST:,} test images; training and '
        'validation images are all there')
  else:
    parts = [part[np.isin(part[:, 0], SUB_CLASSES)] for part in _full(path)]
    digests = {'sha1': dict(zip(STEMS, SHA1, strict=True))}
    difference = 'none: all images of bird, cat and ship'
  return _dataset('cifar10_sub', path, SUB_CLASSES, parts, digests, difference)


def _dataset(name, path, classes, records, digests, difference):
  """The data set of records uint8 [N, 3073] of train, valid and test."""
  number = np.full(256, -1, np.int32)
  number[list(classes)] = np.arange(len(classes))

  def split(rows):
    planes = rows[:, 1:].reshape(-1, 3, 32, 32)
    return base.Split(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
                      number[rows[:, 0]])

  return base.check(base.Dataset(
      name, *map(split, records),
      binarize=False, bounded=True, classes=len(classes),
      provenance={
          'source': path.name,
          'files': {path.name: {'path': files.record(path), **digests}},
          'difference': f'{difference}; those behind the first {TRAIN:,} of '
                        'all training images are the validation split'}))


def _full(path):
  """Checked records uint8 [N, 3073] of train, of valid and of test."""
  binary = 'bin' in path.name
  names = [f'{stem}.bin' if binary else stem for stem in STEMS]
  contents = _contents(path, names)
  records = []
  for name, sha1 in zip(names, SHA1, strict=True):
    where = f'{path}: {name}'
    if name not in contents:
      raise errors.DamagedData(f'{where} is not there: fetch it again')
    content = contents.pop(name)
    content = content if binary else _unpickled(where, content)
    files.check(where, hashlib.sha1(content).hexdigest(), sha1, 'sha1')
    records.append(np.frombuffer(content, np.uint8).reshape(-1, 3073))
  train = np.concatenate(records[:-1])
  return train[:TRAIN], train[TRAIN:], records[-1]


def _folder(path, names):
  """{name: content} of the files that are there."""
  return {name: archives.unpacked(path / name, MOST // len(names))
          for name in names if (path / name).is_file()}


def _contents(path, names):
  """{name: content} of a folder, or of an archive without a copy on disk."""
  try:
    return (_folder(path, names) if path.is_dir()
            else archives.read_tar(path, names, MOST))
  except Exception as e:  # Damaged files raise almost anything.
    fault = ' '.join(str(e).split())  # tarfile has a line for each compression.
    size = '' if path.is_dir() else f' of {path.stat().st_size} bytes'
    raise errors.DamagedData(
        f'{path}: damaged {"folder" if path.is_dir() else "tar file"}{size} '
        f'({fault}): fetch it again') from e


def _unpickled(where, content):
  """Converts a batch of the Python version to the binary version."""
  try:
    batch = pickles.loads(content, encoding='bytes')
    labels = np.asarray(batch[b'labels'], np.uint8)
    return np.concatenate([labels[:, None], batch[b'data']], 1).tobytes()
  except Exception as e:  # Damaged pickles raise almost anything.
    raise errors.DamagedData(
        f'{where}: the file is not a pickled batch ({e}): use '
        'cifar-10-binary.tar.gz instead') from e


def _sub(path):
  """Records uint8 [N, 3073] of the three classes: train, valid and test."""
  images, labels, split, index = files.npz(
      path, 'images', 'labels', 'split', 'index', most=1 << 26)
  try:
    records = np.concatenate([
        labels.astype(np.uint8)[:, None],
        images.transpose(0, 3, 1, 2).reshape(len(images), 3072)], 1)
    train, test = (
        (records[split == part], index[split == part].astype('<i4'))
        for part in (0, 1))
  except (IndexError, ValueError) as e:
    raise errors.DamagedData(f'{path}: the arrays do not fit the subset ({e}): '
                             'fetch the file again') from e
  content = b''.join(array.tobytes() for array in (*train, *test))
  files.check(path, hashlib.sha256(content).hexdigest(), SUB_SHA256,
              'sha256 (of records)')
  first = train[1] < TRAIN
  return train[0][first], train[0][~first], test[0]
