"""The sets themselves, where SWAE_JAX_DATA names a folder that has them."""
import hashlib
import os

import numpy as np
import pytest

from swae_jax import data, errors
from swae_jax.data import base

MNIST = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
# By set: allowed sizes, labels of train and valid, and a digest where the
# arrays are the same whatever form of the set is there.
SETS = {
    'mnist': ([(50000, 10000, 10000)], MNIST, ''),
    'fashion_mnist': ([(50000, 10000, 10000)], [6000] * 10, ''),
    'coil20': ([(1040, 200, 200)], None, 'b2422d61d3f446b2547adb26d44244e704a'
               '1123b829e9c0369417bc99d445a0e'),
    'cifar10_sub': ([(12029, 2971, 309), (12029, 2971, 3000)], [5000] * 3, ''),
    'celeba': ([(8029, 1026, 945), (162770, 19867, 19962)], None, '')}


@pytest.fixture(name='load', scope='module')
def loader(tmp_path_factory):
  cache = str(tmp_path_factory.mktemp('cache'))

  def load(name, **options):
    if name == 'celeba':
      options['cache_dir'] = cache
    try:
      return data.DATASETS[name](
          dir=os.environ.get('SWAE_JAX_DATA', ''), **options)
    except errors.MissingData as e:
      pytest.skip(f'SWAE_JAX_DATA: {e}')

  return load


@pytest.mark.parametrize('name', SETS)
def test_sizes_labels_and_digest(load, name):
  sizes, counts, digest = SETS[name]
  d = load(name)
  assert tuple(len(split.labels) for split in d[1:4]) in sizes
  labels = np.concatenate([d.train.labels, d.valid.labels])
  assert counts is None or np.bincount(labels).tolist() == counts
  assert not digest or base.fingerprint(d)['sha256'] == digest


def test_the_training_images_of_mnist_have_the_published_digest(load):
  d = load('mnist', binarize=False)
  content = bytes.fromhex('000008030000ea600000001c0000001c')
  content += d.train.images.tobytes() + d.valid.images.tobytes()
  assert hashlib.md5(content).hexdigest() == '6bbc9ace898e44ae57da46a324031adb'


def test_the_objects_of_coil20_have_72_views_each(load):
  labels = np.concatenate([s.labels for s in load('coil20')[1:4]])
  assert np.bincount(labels).tolist() == [72] * 20


def test_the_training_images_of_three_classes_do_not_depend_on_the_form(load):
  d = load('cifar10_sub')
  d = base.Dataset(*d[:3], d.valid, *d[4:])
  assert base.fingerprint(d)['sha256'] == (
      'b59882df43ecda29e701d9cdec030411f6a183337a58708b8391429262d6bc4e')


def test_faces_have_64_pixels_in_colour(load):
  assert load('celeba').train.images.shape[1:] == (64, 64, 3)
