import gzip
import json
import os

import numpy as np
import pytest
import small_mnist

from swae_jax import data, errors
from swae_jax.data import base, mnist

NAMES = ('mnist', 'fashion_mnist')
TRAIN, TEST, VALID = 9, 5, 4


@pytest.fixture(name='files')
def small_sets(monkeypatch):
  """Name of the set -> name of the file -> content; the digests match."""
  return {name: small_mnist.install(
      monkeypatch, small_mnist.arrays(TRAIN, TEST, seed), VALID, name)
          for seed, name in enumerate(NAMES)}


def write(folder, files, pack=gzip.compress, suffix='.gz'):
  folder.mkdir(exist_ok=True)
  for file, content in files.items():
    (folder / f'{file}{suffix}').write_bytes(pack(content))


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('pack, suffix', [(gzip.compress, '.gz'), (bytes, '')])
def test_arrays_are_those_of_the_files(tmp_path, files, name, pack, suffix):
  write(tmp_path, files[name], pack, suffix)
  d = data.DATASETS[name](dir=str(tmp_path), binarize=False)
  x, y, x_test, y_test = files[name].values()
  images = np.frombuffer(x[16:], np.uint8).reshape(TRAIN, 28, 28, 1)
  np.testing.assert_array_equal(d.train.images, images[:TRAIN - VALID])
  np.testing.assert_array_equal(d.valid.images, images[TRAIN - VALID:])
  assert d.train.labels.tolist() == list(y[8:8 + TRAIN - VALID])
  assert d.valid.labels.tolist() == list(y[8 + TRAIN - VALID:])
  assert d.test.images.tobytes() == x_test[16:]
  assert d.test.labels.tolist() == list(y_test[8:])
  assert d.name == name and d.classes == 10 and d.bounded and not d.binarize


def test_binarized_is_the_default(tmp_path, files):
  write(tmp_path, files['mnist'])
  grey = mnist.make(dir=str(tmp_path), binarize=False)
  d = mnist.make(dir=str(tmp_path))
  assert d.binarize
  np.testing.assert_array_equal(d.train.images, grey.train.images)
  np.testing.assert_array_equal(
      d.test.images,
      base.binarized(grey.test.images, base.BINARIZE_SEEDS['test']))


def test_one_folder_serves_both_sets(tmp_path, files):
  for name in NAMES:
    write(tmp_path / name, files[name])
  write(tmp_path, files['mnist'])  # The set's own folder goes first.
  for name in NAMES:
    d = data.DATASETS[name](dir=str(tmp_path), binarize=False)
    assert d.test.images.tobytes() == list(files[name].values())[2][16:]


def test_the_other_set_is_not_taken_for_it(tmp_path, files):
  write(tmp_path, files['mnist'])
  with pytest.raises(errors.UserError, match=(
      'train-images.* is of mnist, and not of fashion_mnist; keep')) as e:
    mnist.make_fashion(dir=str(tmp_path))
  assert e.value.code == 2  # Nothing is damaged, and nothing to be deleted.


@pytest.mark.parametrize('place, name', [
    ('MNIST/raw/{}', '{}'), ('MNIST/raw/{}', '{}.gz'), ('raw/{}', '{}'),
    ('mnist/MNIST/raw/{}', '{}'), ('{}', 'dotted'), ('mnist/{}', 'dotted'),
    ('{0}/{0}', '{}')])
def test_the_layouts_of_others_are_known(tmp_path, files, place, name):
  for file, content in files['mnist'].items():
    form = name.format(file).replace('dotted', file.replace('-idx', '.idx'))
    path = tmp_path / (place.replace('{0}/{0}', f'{file}/{form}')
                       .format(form))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        gzip.compress(content) if form.endswith('.gz') else content)
  # Files of the other set do not stand in the way.
  write(tmp_path / 'FashionMNIST', files['fashion_mnist'])
  assert len(mnist.make(dir=str(tmp_path)).train.labels) == TRAIN - VALID


def test_provenance_goes_into_a_record(tmp_path, files):
  write(tmp_path, files['mnist'])
  found = json.loads(json.dumps(mnist.make(dir=str(tmp_path)).provenance))
  assert {file: (entry['bytes'], entry['sha256'])
          for file, entry in found['files'].items()} == mnist.FILES['mnist']
  assert all(os.path.isfile(os.path.expanduser(e['path']))
             for e in found['files'].values())


@pytest.mark.parametrize('name', NAMES)
def test_a_missing_file_is_named_with_all_that_is_needed(tmp_path, files, name):
  write(tmp_path, files[name])
  (tmp_path / 't10k-labels-idx1-ubyte.gz').unlink()
  size, sha256 = mnist.FILES[name]['t10k-labels-idx1-ubyte']
  with pytest.raises(errors.MissingData) as e:
    data.DATASETS[name](dir=str(tmp_path))
  for part in (f'{name}: t10k-labels-idx1-ubyte', f'{size} bytes', sha256,
               str(tmp_path), str(tmp_path / name), '--config.data.dir=DIR'):
    assert part in str(e.value)
  assert '\n' not in str(e.value)


def test_no_folder_is_not_the_current_one(tmp_path, files, monkeypatch):
  write(tmp_path, files['mnist'])
  monkeypatch.chdir(tmp_path)
  with pytest.raises(errors.MissingData, match='no folder is given.*data.dir'):
    mnist.make()


def test_home_is_understood(tmp_path, files, monkeypatch):
  write(tmp_path / 'sets', files['mnist'])
  monkeypatch.setenv('HOME', str(tmp_path))
  d = mnist.make(dir='~/sets')
  assert len(d.train.labels) == TRAIN - VALID
  # A run does not tell who trained it.
  assert {os.path.dirname(file['path'])
          for file in d.provenance['files'].values()} == {'~/sets'}
