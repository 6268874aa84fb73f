import gzip
import hashlib
import json
import os
import struct

import numpy as np
import pytest

from swae_jax import data, errors
from swae_jax.data import base, mnist

NAMES = ('mnist', 'fashion_mnist')
TRAIN, TEST, VALID = 9, 5, 4


def contents(seed):
  """Four small files, in the order of the real ones."""
  rng = np.random.default_rng(seed)
  for n in (TRAIN, TEST):
    images = rng.integers(256, size=(n, 28, 28), dtype=np.uint8)
    labels = rng.integers(10, size=n, dtype=np.uint8)
    yield struct.pack('>HBBIII', 0, 8, 3, n, 28, 28) + images.tobytes()
    yield struct.pack('>HBBI', 0, 8, 1, n) + labels.tobytes()


@pytest.fixture(name='files')
def small_sets(monkeypatch):
  """Name of the set -> name of the file -> content; the digests match."""
  monkeypatch.setattr(mnist, 'VALID', VALID)
  out = {name: dict(zip(mnist.FILES[name], contents(seed), strict=True))
         for seed, name in enumerate(NAMES)}
  for name in NAMES:
    monkeypatch.setitem(mnist.FILES, name, {
        file: (len(content), hashlib.sha256(content).hexdigest())
        for file, content in out[name].items()})
  return out


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
  with pytest.raises(errors.DamagedData, match='train-images.*sha256'):
    mnist.make_fashion(dir=str(tmp_path))


def test_provenance_goes_into_a_record(tmp_path, files):
  write(tmp_path, files['mnist'])
  found = json.loads(json.dumps(mnist.make(dir=str(tmp_path)).provenance))
  assert {file: (entry['bytes'], entry['sha256'])
          for file, entry in found['files'].items()} == mnist.FILES['mnist']
  assert all(os.path.isfile(e['path']) for e in found['files'].values())


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
  assert len(mnist.make(dir='~/sets').train.labels) == TRAIN - VALID


@pytest.mark.parametrize('name, counts', [
    ('mnist', [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
    ('fashion_mnist', [6000] * 10)])
def test_the_real_files(name, counts):
  folder = os.environ.get('SWAE_JAX_DATA', '')
  try:
    d = data.DATASETS[name](dir=folder)
  except errors.MissingData as e:
    pytest.skip(f'SWAE_JAX_DATA: {e}')
  assert [len(s.labels) for s in (d.train, d.valid, d.test)] == [
      50000, 10000, 10000]
  labels = np.concatenate([d.train.labels, d.valid.labels])
  assert np.bincount(labels).tolist() == counts
  content = struct.pack('>HBBIII', 0, 8, 3, 60000, 28, 28)
  grey = data.DATASETS[name](dir=folder, binarize=False)
  content += grey.train.images.tobytes() + grey.valid.images.tobytes()
  # The digest that is published for the unpacked MNIST training images.
  assert name != 'mnist' or hashlib.md5(content).hexdigest() == (
      '6bbc9ace898e44ae57da46a324031adb')
