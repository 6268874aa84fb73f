"""MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017)."""
import hashlib
import struct

import numpy as np

from swae_jax import errors
from swae_jax.data import base
from swae_jax.data.formats import files, idx, tfds

VALID = 10000  # The last images of the training file.

TORCHVISION = {'mnist': 'MNIST', 'fashion_mnist': 'FashionMNIST'}
# Size and sha256 of the unpacked content, since gzip adds a time stamp.
FILES = {
    'mnist': {
        'train-images-idx3-ubyte': (47040016,
            'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db'),
        'train-labels-idx1-ubyte': (60008,
            '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5'),
        't10k-images-idx3-ubyte': (7840016,
            '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7'),
        't10k-labels-idx1-ubyte': (10008,
            'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2'),
    },
    'fashion_mnist': {
        'train-images-idx3-ubyte': (47040016,
            'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888'),
        'train-labels-idx1-ubyte': (60008,
            'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9'),
        't10k-images-idx3-ubyte': (7840016,
            '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b'),
        't10k-labels-idx1-ubyte': (10008,
            '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34'),
    },
}


def make(*, dir: str = '', binarize: bool = True) -> base.Dataset:
  """MNIST [N, 28, 28, 1]: 50,000 training, 10,000 valid and 10,000 test images.

  The released codes of the papers train with all 60,000 training images; here
  the last 10,000 of these images are the validation split.  Systems see pixels
  in [0, 1].

  Args:
    dir: the folder of the data sets, or of MNIST.
    binarize: draws pixels as Bernoulli: anew at each training step, once for
      validation and test.
  """
  return _make('mnist', dir, binarize)


def make_fashion(*, dir: str = '', binarize: bool = True) -> base.Dataset:
  """Fashion-MNIST [N, 28, 28, 1], with the splits and the range of MNIST.

  Args:
    dir: the folder of the data sets, or of Fashion-MNIST.
    binarize: draws pixels as Bernoulli: anew at each training step, once for
      validation and test.
  """
  return _make('fashion_mnist', dir, binarize)


def _make(name, dir, binarize):
  prepared = tfds.find(name, dir)
  if prepared is None or _path(name, dir, next(iter(FILES[name]))):
    source = 'idx files'
    paths = [_find(name, dir, file) for file in FILES[name]]
    arrays = [_read(name, file, path) for file, path
              in zip(FILES[name], paths, strict=True)]
  else:
    source, paths = 'tensorflow-datasets', [prepared] * len(FILES[name])
    arrays = _prepared(name, prepared)
  images, labels, test_images, test_labels = arrays
  dataset = base.Dataset(
      name, _split(images[:-VALID], labels[:-VALID]),
      _split(images[-VALID:], labels[-VALID:]),
      _split(test_images, test_labels),
      binarize=False, bounded=True, classes=10,
      provenance={
          'source': source,
          'files': {file: {'path': files.record(path), 'bytes': size,
                           'sha256': sha256}
                    for path, (file, (size, sha256))
                    in zip(paths, FILES[name].items(), strict=True)},
          'difference': 'none: the full set; the last 10,000 training images '
                        'are the validation split'})
  return base.check(base.binarize(dataset) if binarize else dataset)


def _prepared(name, folder):
  """The arrays of the four idx files, from tensorflow-datasets; checked."""
  arrays = []
  for split, part in zip(('train', 'test'),
                         tfds.splits(folder, 'train', 'test'), strict=True):
    order = tfds.original_order(split, len(part))
    # To read in the order of the file takes a third of the time.
    examples = [part[i] for i in range(len(part))]
    images = np.stack([example['image'][..., 0] for example in examples])
    labels = np.asarray([example['label'] for example in examples], np.uint8)
    arrays += [images[order], labels[order]]
  for array, (_, sha256) in zip(arrays, FILES[name].values(), strict=True):
    head = idx.UINT8 + struct.pack(f'>B{array.ndim}I', array.ndim, *array.shape)
    found = hashlib.sha256(head + array.tobytes()).hexdigest()
    if found != sha256:
      raise errors.DamagedData(f'{folder}: the content has, as an idx file, '
                               f'sha256 {found}, expected {sha256}: prepare '
                               'the set again')
  return arrays


def _split(images, labels):
  return base.Split(images[..., None], labels.astype(np.int32))


def _read(name, file, path):
  """The array of a file; an error says if the file is of the other set."""
  size, sha256 = FILES[name][file]
  array, found = idx.read(path, size)
  for other, known in FILES.items():
    if other != name and found == known[file][1]:
      raise errors.UserError(
          f'{path}: this file is of {other}, and not of {name}; keep the file, '
          f'and give the folder of {name}, or --config.data.name={other}')
  files.check(path, found, sha256, 'sha256 (unpacked)')
  return array


def _path(name, dir, file):
  """The path of `file`, gzipped or plain; None if there is no such file."""
  # Both sets have files of the same names: the folder of the set comes first.
  for folder in files.folders(name, dir):
    # The layouts of the authors, of torchvision and of Kaggle.
    for inner in ('', f'{TORCHVISION[name]}/raw', 'raw', file):
      for end in ('.gz', ''):
        for form in (file, file.replace('-idx', '.idx')):
          path = folder / inner / f'{form}{end}'
          if path.is_file():
            return path
  return None


def _find(name, dir, file):
  size, sha256 = FILES[name][file]
  path = _path(name, dir, file)
  if path is None:
    raise files.missing(name, dir, f'{file} or {file}.gz ({size} bytes '
                        f'unpacked, sha256 {sha256})')
  return path
