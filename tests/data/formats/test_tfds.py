import hashlib
import struct
import sys
import types

import numpy as np
import pytest

from swae_jax import data, errors
from swae_jax.data import base, mnist
from swae_jax.data.formats import tfds

SIZES = {'train': 9, 'test': 5}


def write_info(path, name='mnist', version='3.0.1', form='array_record'):
  folder = path / name / version
  folder.mkdir(parents=True)
  (folder / 'dataset_info.json').write_text(f'{{"fileFormat": "{form}"}}')
  return folder


def arrays(split):
  rng = np.random.default_rng(len(split))
  n = SIZES[split]
  return (rng.integers(256, size=(n, 28, 28, 1), dtype=np.uint8),
          rng.integers(10, size=n))


def stored(split):
  """Examples as the library keeps them: by md5 of the split and the key."""
  images, labels = arrays(split)
  order = sorted(range(SIZES[split]), key=lambda i: int(
      hashlib.md5(split.encode() + str(i).encode()).hexdigest(), 16))
  return [{'image': images[i], 'label': int(labels[i])} for i in order]


@pytest.fixture(name='folder')
def small_set(tmp_path, monkeypatch):
  """A prepared MNIST, and a library that reads it."""
  contents = []
  for split in SIZES:
    images, labels = arrays(split)
    n = len(images)
    contents += [struct.pack('>HBBIII', 0, 8, 3, n, 28, 28) + images.tobytes(),
                 struct.pack('>HBBI', 0, 8, 1, n)
                 + labels.astype(np.uint8).tobytes()]
  monkeypatch.setattr(mnist, 'VALID', 4)
  monkeypatch.setitem(mnist.FILES, 'mnist', {
      file: (len(content), hashlib.sha256(content).hexdigest())
      for file, content in zip(mnist.FILES['mnist'], contents, strict=True)})
  folder = write_info(tmp_path)
  asked = []
  library = types.SimpleNamespace(builder_from_directory=lambda path: (
      asked.append(path) or types.SimpleNamespace(
          as_data_source=lambda split: [stored(name) for name in split])))
  monkeypatch.setitem(sys.modules, 'tensorflow_datasets', library)
  yield tmp_path
  assert set(asked) <= {str(folder)}


def test_mnist_is_put_back_into_its_order(folder):
  d = data.DATASETS['mnist'](dir=str(folder), binarize=False)
  images, labels = arrays('train')
  np.testing.assert_array_equal(d.train.images, images[:5])
  np.testing.assert_array_equal(d.valid.images, images[5:])
  assert d.train.labels.tolist() == labels[:5].tolist()
  np.testing.assert_array_equal(d.test.images, arrays('test')[0])
  assert d.test.labels.tolist() == arrays('test')[1].tolist()
  assert d.provenance['source'] == 'tensorflow-datasets'
  assert data.DATASETS['mnist'](dir=str(folder)).binarize
  assert base.check(d)


def test_another_content_is_refused(folder, monkeypatch):
  first = next(iter(mnist.FILES['mnist']))
  monkeypatch.setitem(mnist.FILES['mnist'], first, (1, '0'))
  with pytest.raises(errors.DamagedData, match='3.0.1.*expected 0: prepare'):
    mnist.make(dir=str(folder))


def test_idx_files_go_first(folder):
  (folder / 'train-images-idx3-ubyte').touch()
  with pytest.raises(errors.MissingData, match='train-labels'):
    mnist.make(dir=str(folder))


def test_without_the_library_it_says_what_to_install(folder, monkeypatch):
  monkeypatch.setitem(sys.modules, 'tensorflow_datasets', None)
  with pytest.raises(errors.UserError, match='pip install tensorflow-d') as e:
    mnist.make(dir=str(folder))
  assert '\n' not in str(e.value)


def test_a_form_that_needs_tensorflow_is_refused(tmp_path):
  folder = write_info(tmp_path, form='tfrecord')
  with pytest.raises(errors.UserError, match='file_format=array_record'):
    mnist.make(dir=str(tmp_path))
  for text in ('', '[]', '<html>'):
    (folder / 'dataset_info.json').write_text(text)
    with pytest.raises(errors.DamagedData, match='dataset_info.json: no JSON'):
      mnist.make(dir=str(tmp_path))


def test_the_newest_version_is_taken(tmp_path):
  assert tfds.find('mnist', str(tmp_path)) is None
  for version in ('3.0.9', '3.0.10', '2.11.0'):
    write_info(tmp_path, version=version)
  assert tfds.find('mnist', str(tmp_path)).name == '3.0.10'
  assert tfds.find('mnist', str(tmp_path / 'mnist')).name == '3.0.10'
  assert tfds.find('mnist', '') is None
