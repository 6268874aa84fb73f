import hashlib
import io
import json
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest

from swae_jax import data, errors
from swae_jax.data import cifar10

BATCH, TRAIN = 6, 21  # 30 training images, 6 for the test.


@pytest.fixture(name='images')
def small_set(monkeypatch):
  """Images [36, 32, 32, 3] and labels [36], in the order of the files."""
  rng = np.random.default_rng(0)
  x = rng.integers(256, size=(6 * BATCH, 32, 32, 3), dtype=np.uint8)
  y = rng.permutation(np.arange(6 * BATCH, dtype=np.uint8) % 10)
  monkeypatch.setattr(cifar10, 'TRAIN', TRAIN)
  monkeypatch.setattr(cifar10, 'SHA1', tuple(
      hashlib.sha1(content).hexdigest() for content in binaries(x, y)))
  return x, y


def parts(x, y):
  for i in range(0, len(x), BATCH):
    yield x[i:i + BATCH], y[i:i + BATCH]


def binaries(x, y):
  """A label, then all reds, all greens, all blues, row by row."""
  for images, labels in parts(x, y):
    yield b''.join(bytes([label]) + b''.join(
        image[:, :, c].tobytes() for c in range(3))
        for image, label in zip(images, labels, strict=True))


def old_pickle(images, labels):
  """A pickle of Python 2 and the NumPy of its time, opcode by opcode."""
  rows = b''.join(image[:, :, c].tobytes() for image in images
                  for c in range(3))
  short = lambda text: b'U' + bytes([len(text)]) + text
  return b''.join([
      b'\x80\x02}(', short(b'data'),
      b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85',
      short(b'b'), b'\x87R(K\x01K', bytes([len(images)]), b'M\x00\x0c\x86',
      b'cnumpy\ndtype\n', short(b'u1'), b'K\x00K\x01\x87R(K\x03', short(b'|'),
      b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89',
      b'T', struct.pack('<i', len(rows)), rows, b'tb', short(b'labels'),
      b'](', b''.join(b'K' + bytes([label]) for label in labels), b'eu.'])


def contents(form, x, y):
  if form == 'bin':
    return dict(zip((f'{stem}.bin' for stem in cifar10.STEMS),
                    binaries(x, y), strict=True))
  return dict(zip(cifar10.STEMS, (old_pickle(*part) for part in parts(x, y)),
                  strict=True))


def write(path, form, packed, x, y, **changes):
  folder = {'bin': 'cifar-10-batches-bin', 'py': 'cifar-10-batches-py'}[form]
  if packed:
    name = {'bin': 'cifar-10-binary', 'py': 'cifar-10-python'}[form]
    with tarfile.open(path / f'{name}.tar.gz', 'w:gz') as tar:
      for file, content in {**contents(form, x, y), **changes}.items():
        info = tarfile.TarInfo(f'{folder}/{file}')
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
  else:
    (path / folder).mkdir()
    for file, content in {**contents(form, x, y), **changes}.items():
      (path / folder / file).write_bytes(content)


def write_sub(path, x, y, keep=2, **changes):
  """The three classes, with only the first `keep` of their test images."""
  index = np.concatenate([np.arange(5 * BATCH), np.arange(BATCH)])
  split = np.arange(6 * BATCH) >= 5 * BATCH
  some = np.flatnonzero(np.isin(y, cifar10.SUB_CLASSES))
  test = some[split[some]][:keep]
  some = np.concatenate([some[~split[some]], test])
  np.savez(path / cifar10.SUB, **{
      'images': x[some], 'labels': y[some], 'split': split[some].astype('u1'),
      'index': index[some].astype(np.int32), **changes})
  return some, len(test)


@pytest.mark.parametrize('form', ['bin', 'py'])
@pytest.mark.parametrize('packed', [True, False])
def test_all_forms_give_the_same_set(tmp_path, images, form, packed):
  x, y = images
  write(tmp_path, form, packed, x, y)
  d = data.DATASETS['cifar10'](dir=str(tmp_path))
  for split, rows in ((d.train, slice(0, 21)), (d.valid, slice(21, 30)),
                      (d.test, slice(30, 36))):
    np.testing.assert_array_equal(split.images, x[rows])
    assert split.labels.tolist() == y[rows].tolist()
  assert d.classes == 10 and d.bounded and not d.binarize
  assert cifar10.SHA1[5] in json.dumps(d.provenance)


@pytest.mark.parametrize('form', ['bin', 'py'])
def test_sub_is_the_three_classes(tmp_path, images, form):
  x, y = images
  write(tmp_path, form, True, x, y)
  d = data.DATASETS['cifar10_sub'](dir=str(tmp_path))
  kinds = [2, 3, 8]
  for split, start, stop in ((d.train, 0, 21), (d.valid, 21, 30),
                             (d.test, 30, 36)):
    rows = [i for i in range(start, stop) if y[i] in kinds]
    np.testing.assert_array_equal(split.images, x[rows])
    assert split.labels.tolist() == [kinds.index(y[i]) for i in rows]
  assert d.classes == 3
  assert d.provenance['difference'].startswith('none: all images of bird')


def test_the_subset_file_says_what_it_lacks(tmp_path, images, monkeypatch):
  x, y = images
  rows, test = write_sub(tmp_path, x, y, keep=1)
  with pytest.raises(errors.DamagedData) as e:
    cifar10.make_sub(dir=str(tmp_path))
  digest = str(e.value).partition('(of records) ')[2].partition(',')[0]
  monkeypatch.setattr(cifar10, 'SUB_SHA256', digest)
  d = cifar10.make_sub(dir=str(tmp_path))
  images = np.concatenate([split.images for split in d[1:4]])
  np.testing.assert_array_equal(images, x[rows])
  assert len(d.test.images) == test == 1
  assert len(d.train.images) == (rows[:-1] < TRAIN).sum()
  assert d.provenance['difference'].startswith('1 of the 3,000 test images')
  # Every part of the content is under the digest.
  for key, change in (('images', x[rows] ^ 1), ('labels', y[rows] ^ 1),
                      ('index', np.arange(len(rows), dtype=np.int32))):
    write_sub(tmp_path, x, y, keep=1, **{key: change})
    with pytest.raises(errors.DamagedData, match='sha256'):
      cifar10.make_sub(dir=str(tmp_path))


@pytest.mark.parametrize('change', [
    {'images': np.zeros((3, 2))}, {'split': np.zeros(1)}])
def test_a_subset_of_other_shapes_is_damaged(tmp_path, images, change):
  write_sub(tmp_path, *images, **change)
  with pytest.raises(errors.DamagedData, match='do not fit the subset'):
    cifar10.make_sub(dir=str(tmp_path))


@pytest.mark.parametrize('form', ['bin', 'py'])
@pytest.mark.parametrize('packed', [True, False])
def test_a_changed_byte_names_its_file(tmp_path, images, form, packed):
  x, y = images[0].copy(), images[1]
  x[2 * BATCH, 3, 4, 1] ^= 1
  write(tmp_path, form, packed, x, y)
  with pytest.raises(errors.DamagedData, match='data_batch_3.*sha1') as e:
    cifar10.make(dir=str(tmp_path))
  assert '\n' not in str(e.value)


@pytest.mark.parametrize('cut', [0, 10, 4000])
def test_a_cut_archive_is_damaged(tmp_path, images, cut):
  write(tmp_path, 'bin', True, *images)
  path = tmp_path / 'cifar-10-binary.tar.gz'
  path.write_bytes(path.read_bytes()[:cut])
  with pytest.raises(errors.DamagedData, match=f'{cut} bytes') as e:
    cifar10.make(dir=str(tmp_path))
  assert '\n' not in str(e.value)


def test_a_lost_batch_is_named(tmp_path, images):
  write(tmp_path, 'bin', False, *images)
  (tmp_path / 'cifar-10-batches-bin/data_batch_4.bin').unlink()
  with pytest.raises(errors.DamagedData, match='data_batch_4.bin is not there'):
    cifar10.make(dir=str(tmp_path))


class Evil:
  def __reduce__(self):
    return os.mkdir, ('ran',)


@pytest.mark.parametrize('content', [
    pickle.dumps(Evil(), 2), pickle.dumps({b'labels': [1]}, 2), b'', b'<html>',
    pickle.dumps(np.float64, 2)])
def test_a_pickle_runs_no_program(tmp_path, images, content, monkeypatch):
  monkeypatch.chdir(tmp_path)
  write(tmp_path, 'py', False, *images, data_batch_2=content)
  with pytest.raises(errors.DamagedData, match='data_batch_2.*binary') as e:
    cifar10.make(dir=str(tmp_path))
  assert not (tmp_path / 'ran').exists() and '\n' not in str(e.value)


@pytest.mark.parametrize('name', ['cifar10', 'cifar10_sub'])
def test_missing_is_one_line(tmp_path, name):
  with pytest.raises(errors.MissingData, match=f'cifar-10-binary.*{name}') as e:
    data.DATASETS[name](dir=str(tmp_path))
  assert '\n' not in str(e.value)
