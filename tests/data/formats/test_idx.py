import gzip
import hashlib
import struct

import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data.formats import idx

ARRAY = np.random.default_rng(0).integers(256, size=(4, 3, 2), dtype=np.uint8)
CONTENT = struct.pack('>BBBBIII', 0, 0, 8, 3, 4, 3, 2) + ARRAY.tobytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()
# Without the time, which would make the names of the cases differ by worker.
PACKED = gzip.compress(CONTENT, mtime=0)


def flipped(content, at):
  return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


@pytest.mark.parametrize('name', ['a', 'a.gz'])  # The content decides.
@pytest.mark.parametrize('pack', [bytes, gzip.compress])
def test_reads_packed_and_plain_files(tmp_path, name, pack):
  path = tmp_path / name
  path.write_bytes(pack(CONTENT))
  got, sha256 = idx.read(path, len(CONTENT))
  assert sha256 == SHA256 and got.dtype == np.uint8
  np.testing.assert_array_equal(got, ARRAY)


def test_reads_labels(tmp_path):
  content = struct.pack('>BBBBI', 0, 0, 8, 1, 3) + bytes([7, 0, 9])
  path = tmp_path / 'labels'
  path.write_bytes(content)
  got, _ = idx.read(path, len(content))
  assert got.tolist() == [7, 0, 9]


@pytest.mark.parametrize('content, words', [
    (b'', "starts with ''"),
    (b'<html>no such file', "starts with '3c68746d'"),
    (b'\0\0\x0d' + CONTENT[3:], "starts with '00000d03'"),  # Floats.
    (CONTENT[:9], 'header ends after 9 of 16 bytes'),
    (CONTENT[:-1], r'39 bytes unpacked, expected 40 for shape \[4, 3, 2\]'),
    (CONTENT + b'\0', 'more than 40 bytes unpacked'),
    (gzip.compress(bytes(1 << 24), mtime=0), 'more than 40 bytes unpacked'),
    (PACKED[:-9], 'damaged gzip file of .* end-of-stream'),
    (PACKED[:5], 'damaged gzip file of 5 bytes'),
    (flipped(PACKED, len(PACKED) - 5), 'damaged gzip file of .*CRC'),
    (PACKED[:10] + b'\xff' * 9, 'damaged gzip file of 19'),
    (gzip.compress(CONTENT[:-1], mtime=0), '39 bytes unpacked, expected 40'),
])
def test_damage_is_named_in_one_line(tmp_path, content, words):
  path = tmp_path / 'damaged'
  path.write_bytes(content)
  with pytest.raises(errors.DamagedData, match=words) as e:
    idx.read(path, len(CONTENT))
  assert str(e.value).startswith(f'{path}: ') and '\n' not in str(e.value)
  assert 'fetch the file again' in str(e.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
  with pytest.raises(errors.UserError, match='cannot be read: Is a directory'):
    idx.read(tmp_path, 9)
