"""Arrays of others: the header is checked before anything is made."""
import io
import os
import zipfile

import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data.formats import arrays

X = np.random.default_rng(0).random((3, 2)).astype(np.float32)


def npy(array, **options):
  out = io.BytesIO()
  np.lib.format.write_array(out, array, **options)
  return out.getvalue()


def claims(shape, descr='<f4', content=b''):
  """An array whose header says what the content is not."""
  out = io.BytesIO()
  np.lib.format.write_array_header_1_0(
      out, {'descr': descr, 'fortran_order': False, 'shape': shape})
  return out.getvalue() + content


def zipped(path, contents, method=zipfile.ZIP_STORED):
  with zipfile.ZipFile(path, 'w', method) as file:
    for name, content in contents.items():
      file.writestr(name, content)
  return path


@pytest.mark.parametrize('array', [
    X, np.asfortranarray(X), np.array('a text'), np.array(['a', 'ü\0b']),
    np.zeros((0, 3)), np.arange(3, dtype='>i2'), np.array(True), X + 1j])
def test_plain_arrays_come_back(tmp_path, array):
  np.save(tmp_path / 'x.npy', array)
  np.savez_compressed(tmp_path / 'x.npz', a=array, b=X)
  for found in (arrays.read(tmp_path / 'x.npy')[''],
                arrays.read(tmp_path / 'x.npz')['a'],
                arrays.read(tmp_path / 'x.npz', ['a'])['a']):
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


PICKLED = npy(np.array([{}]), allow_pickle=True)
HOSTILE = {
    'not numbers or texts': PICKLED,
    'are not numbers': npy(np.zeros(2, 'V8')),
    'bytes for float32': claims((1 << 40,)),
    'which takes': claims((1 << 20, 1 << 20, 1 << 20)),
    r'float32 \[3\]': claims((3,), content=bytes(13)),
    r'float32 \[-1\]': claims((-1,)),
    '.': b'\x93NUMPY\x01\x00\x76\x00' + b'(' * 118,
    'version': b'\x93NUMPY\x03\x00' + bytes(9),
}


@pytest.mark.parametrize('words', HOSTILE)
def test_hostile_arrays_are_refused(tmp_path, words):
  path = tmp_path / 'x'
  path.write_bytes(HOSTILE[words])
  with pytest.raises(Exception, match=words):
    arrays.read(path)
  with pytest.raises(Exception, match=words):
    arrays.read(zipped(path, {'a.npy': HOSTILE[words]}))


def test_limits_hold_for_all_arrays_together(tmp_path, monkeypatch):
  path = zipped(tmp_path / 'x.npz', {
      f'{name}.npy': npy(np.zeros(5000, np.uint8)) for name in 'ab'},
                zipfile.ZIP_DEFLATED)
  assert len(arrays.read(path, most=11_000)) == 2
  assert len(arrays.read(path, ['a'], most=6000)) == 1
  with pytest.raises(ValueError, match='at most 6,000 are allowed'):
    arrays.read(path, most=6000)
  with pytest.raises(errors.DamagedData, match='at most 100 are allowed'):
    arrays.read(path, most=100)
  monkeypatch.setattr(arrays, 'SMALL', 0)
  monkeypatch.setattr(arrays, 'RATIO', 1)
  with pytest.raises(errors.DamagedData, match='are allowed'):
    arrays.read(path)


def test_what_is_no_file_is_not_opened(tmp_path):
  os.mkfifo(tmp_path / 'x.npz')
  for path in (tmp_path / 'x.npz', tmp_path, '/dev/zero'):
    with pytest.raises(FileNotFoundError):
      arrays.read(path)
