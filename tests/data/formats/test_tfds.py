"""Sets that the library itself writes and reads, in its files, of ten examples.
"""
import io
import sys

import numpy as np
from PIL import Image
import pytest
import small_mnist

from swae_jax import data, errors
from swae_jax.data import base, mnist
from swae_jax.data.formats import tfds

SIZES = {'mnist': {'train': 9, 'test': 5},
         'celeb_a': {'train': 5, 'validation': 2, 'test': 3}}
VERSIONS = {'mnist': '3.0.1', 'celeb_a': '2.1.0'}
SHAPES = {'mnist': (28, 28, 1), 'celeb_a': (218, 178, 3)}


def encoded(name, split):
  """The files of the pictures: PNG in MNIST, JPEG in CelebA, as in the sets."""
  rng = np.random.default_rng(list(SIZES[name]).index(split))
  for x in rng.integers(256, size=(SIZES[name][split], *SHAPES[name]),
                        dtype=np.uint8):
    out = io.BytesIO()
    Image.fromarray(x[..., 0] if name == 'mnist' else x).save(
        out, 'png' if name == 'mnist' else 'jpeg')
    out.seek(0)
    yield out


def images(name, split):
  return np.stack([np.asarray(Image.open(file)).reshape(SHAPES[name])
                   for file in encoded(name, split)])


def labels(split):
  return np.random.default_rng(7).integers(10, size=SIZES['mnist'][split])


def features(library, name):
  """Those of the real sets, with fewer attributes of a face."""
  f = library.features
  if name == 'mnist':
    return {'image': f.Image(shape=(28, 28, 1)), 'label': f.ClassLabel(
        num_classes=10)}
  return {'image': f.Image(shape=(218, 178, 3), encoding_format='jpeg'),
          'attributes': {'Smiling': np.bool_}, 'landmarks': {
              'nose_x': np.int64, 'nose_y': np.int64}}


def examples(name, split):
  """(key, example); the library encodes no array without TensorFlow."""
  for i, file in enumerate(encoded(name, split)):
    if name == 'mnist':
      yield i, {'image': file, 'label': int(labels(split)[i])}
    else:
      yield f'{i:06d}.jpg', {
          'image': file, 'attributes': {'Smiling': i % 2 == 0},
          'landmarks': {'nose_x': i, 'nose_y': 2}}


def write(folder, name):
  """Prepares a set as `tfds build --file_format=array_record` does."""
  library = pytest.importorskip('tensorflow_datasets')
  pytest.importorskip('array_record')

  class Builder(library.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = library.core.Version(VERSIONS[name])

    def _info(self):
      return library.core.DatasetInfo(
          builder=self, features=library.features.FeaturesDict(
              features(library, name)))

    def _split_generators(self, dl_manager):
      return {split: examples(name, split) for split in SIZES[name]}

    def _generate_examples(self):
      raise NotImplementedError

  Builder.name = name
  Builder(data_dir=str(folder),
          file_format='array_record').download_and_prepare()


@pytest.fixture(name='prepared', scope='module')
def written(tmp_path_factory):
  """A folder with both sets."""
  folder = tmp_path_factory.mktemp('tfds')
  for name in SIZES:
    write(folder, name)
  return folder


@pytest.fixture(name='small')
def digests_of_the_small_set(monkeypatch):
  """The sizes and digests of nine and five images in place of MNIST's."""
  small_mnist.install(monkeypatch, [
      (images('mnist', split)[..., 0], labels(split).astype(np.uint8))
      for split in SIZES['mnist']], 4)


def test_a_split_is_read_and_put_back_into_its_order(prepared):
  folder = tfds.find('mnist', str(prepared))
  part, = tfds.splits(folder, 'train')
  stored = np.stack([part[i]['image'] for i in range(len(part))])
  want = images('mnist', 'train')
  assert (stored != want).any()  # The library has shuffled them.
  order = tfds.original_order('train', len(part))
  np.testing.assert_array_equal(stored[order], want)
  assert [part[i]['label'] for i in order] == labels('train').tolist()


def test_mnist_is_that_of_the_idx_files(prepared, small):
  d = data.DATASETS['mnist'](dir=str(prepared), binarize=False)
  x, y = images('mnist', 'train'), labels('train')
  for split, want_x, want_y in (
      (d.train, x[:5], y[:5]), (d.valid, x[5:], y[5:]),
      (d.test, images('mnist', 'test'), labels('test'))):
    np.testing.assert_array_equal(split.images, want_x)
    assert split.labels.tolist() == want_y.tolist()
  assert d.provenance['source'] == 'tensorflow-datasets'
  assert data.DATASETS['mnist'](dir=str(prepared)).binarize


def test_another_content_than_mnists_is_refused(prepared):
  with pytest.raises(errors.DamagedData, match='3.0.1.*expected ba89.*prepare'):
    data.DATASETS['mnist'](dir=str(prepared))


def test_idx_files_go_first(prepared):
  first = prepared / 'train-images-idx3-ubyte'
  first.touch()
  try:
    with pytest.raises(errors.MissingData, match='train-labels'):
      data.DATASETS['mnist'](dir=str(prepared))
  finally:
    first.unlink()


def test_celeba_has_the_official_splits(prepared, tmp_path):
  options = {'size': 140, 'crop': 'close140', 'cache_dir': str(tmp_path)}
  d = data.DATASETS['celeba'](dir=str(prepared), **options)
  for split, name in zip(d[1:4], SIZES['celeb_a'], strict=True):
    want = {x[39:179, 19:159].tobytes() for x in images('celeb_a', name)}
    assert {image.tobytes() for image in split.images} == want
    assert len(split.labels) == SIZES['celeb_a'][name]
  assert d.provenance['difference'].startswith('10 of 202,599 pictures, in the')
  again = data.DATASETS['celeba'](dir=str(prepared), **options)
  assert base.fingerprint(again) == base.fingerprint(d)
  assert len(list(tmp_path.iterdir())) == 1


def test_without_the_library_it_says_what_to_install(prepared, monkeypatch):
  monkeypatch.setitem(sys.modules, 'tensorflow_datasets', None)
  with pytest.raises(errors.UserError, match='pip install tensorflow-d') as e:
    data.DATASETS['mnist'](dir=str(prepared))
  assert '\n' not in str(e.value)


def write_info(path, version='3.0.1', text='{"fileFormat": "tfrecord"}'):
  folder = path / 'mnist' / version
  folder.mkdir(parents=True, exist_ok=True)
  (folder / 'dataset_info.json').write_text(text)


def test_a_form_that_needs_tensorflow_is_refused(tmp_path):
  write_info(tmp_path)
  with pytest.raises(errors.UserError, match='file_format=array_record'):
    mnist.make(dir=str(tmp_path))


@pytest.mark.parametrize('text', ['', '[]', '<html>'])
def test_a_damaged_description_is_named(tmp_path, text):
  write_info(tmp_path, text=text)
  with pytest.raises(errors.DamagedData, match='dataset_info.json: no JSON'):
    mnist.make(dir=str(tmp_path))


def test_the_newest_version_is_taken(tmp_path):
  assert tfds.find('mnist', str(tmp_path)) is None
  for version in ('3.0.9', '3.0.10', '2.11.0'):
    write_info(tmp_path, version)
  for folder in (tmp_path, tmp_path / 'mnist'):
    assert tfds.find('mnist', str(folder)).name == '3.0.10'
  assert tfds.find('mnist', '') is None
