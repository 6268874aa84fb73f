"""Archives of others: nothing in them gets beyond what a data set can hold."""
import gzip
import io
import os
import stat
import struct
import tarfile
import warnings
import zipfile

import pytest

from swae_jax import errors
from swae_jax.data.formats import archives

MOST = 1 << 16


def zipped(path, *names, **changes):
  """A zip file; `changes` are attributes of the last member."""
  with zipfile.ZipFile(path, 'w') as file, warnings.catch_warnings():
    warnings.simplefilter('ignore')  # zipfile warns of repeated names.
    for i, name in enumerate(names):
      info = zipfile.ZipInfo(name)
      content = changes.get('content', b'some')
      if i == len(names) - 1:
        for key, value in changes.items():
          if key != 'content':
            setattr(info, key, value)
      file.writestr(info, content)
  return path


def patched(path, old, new):
  """The file with the bytes `old` replaced wherever they occur."""
  content = path.read_bytes()
  assert old in content
  path.write_bytes(content.replace(old, new))
  return path


def flagged(path, bits, method=0):
  """A zip file whose members have other flags and another method."""
  content = bytearray(zipped(path, 'a.png').read_bytes())
  for mark, at in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
    start = content.index(mark) + at
    content[start:start + 4] = struct.pack('<HH', bits, method)
  path.write_bytes(content)
  return path


ZIPS = {
    'leads out': lambda p: zipped(p, 'a.png', '../b.png'),
    'leads out of': lambda p: zipped(p, 'a/../../b.png'),
    'name leads out': lambda p: zipped(p, '/etc/b.png'),
    'its name leads': lambda p: zipped(p, '..\\b.png'),
    'out of the archive': lambda p: zipped(p, 'C:/b.png'),
    'a link or a device': lambda p: zipped(
        p, 'a.png', external_attr=(stat.S_IFLNK | 0o777) << 16),
    'link or a device': lambda p: zipped(
        p, 'a.png', external_attr=(stat.S_IFIFO | 0o777) << 16),
    'two files have this name': lambda p: zipped(p, 'a.png', 'a.png'),
    'a NUL': lambda p: patched(zipped(p, 'a.pngXb'), b'a.pngX', b'a.png\0'),
    'encrypted': lambda p: flagged(p, 1),
    'method 9, which Python lacks': lambda p: flagged(p, 0, 9),
    'at most 65,536 are allowed': lambda p: zipped(
        p, 'a.png', content=bytes(MOST + 1),
        compress_type=zipfile.ZIP_DEFLATED),
    'no zip file': lambda p: patched(  # A flag says that the name is UTF-8.
        zipped(p, 'é.png'), 'é'.encode(), b'\xff\xfe'),
}


@pytest.mark.parametrize('words', ZIPS)
def test_a_hostile_zip_is_refused_in_one_line(tmp_path, words):
  path = ZIPS[words](tmp_path / 'x.zip')
  with pytest.raises(errors.DamagedData, match=words) as e:
    archives.open_zip(path, MOST)
  assert '\n' not in str(e.value) and str(e.value).startswith(str(path))


def test_a_plain_zip_is_read(tmp_path):
  archive, found = archives.open_zip(
      zipped(tmp_path / 'x.zip', 'b/', 'b/a.png', 'ü.png'), MOST)
  with archive:
    assert list(found) == ['b/a.png', 'ü.png']
    assert archive.read(found['ü.png']) == b'some'


def tarred(path, *members, mode='w:gz'):
  with tarfile.open(path, mode) as tar:
    for name, content, changes in members:
      info = tarfile.TarInfo(name)
      info.size = len(content)
      for key, value in changes.items():
        setattr(info, key, value)
      tar.addfile(info, io.BytesIO(content))
  return path


def long_header(path):
  """A header that alone takes far more than the archive may."""
  with gzip.open(path, 'wb') as file:
    info = tarfile.TarInfo('x')
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    file.write(info.tobuf(tarfile.USTAR_FORMAT))
    for _ in range(64):
      file.write(bytes(1 << 16))
  return path


GOOD = ('d/a', b'some', {})
TARS = {
    'leads out': lambda p: tarred(p, ('../a', b'', {})),
    'its name leads': lambda p: tarred(p, GOOD, ('/etc/other', b'', {})),
    'two files': lambda p: tarred(p, GOOD, ('e/a', b'', {})),
    'not a plain': lambda p: tarred(p, ('a', b'', {
        'type': tarfile.SYMTYPE, 'linkname': '/etc/passwd'})),
    'not a plain file': lambda p: tarred(p, GOOD, ('d/b', b'', {
        'type': tarfile.LNKTYPE, 'linkname': 'd/a'})),
    'is not a plain file': lambda p: tarred(p, ('a', b'', {
        'type': tarfile.FIFOTYPE})),
    'more than 65,536 bytes': lambda p: tarred(p, ('a', bytes(MOST), {})),
    'more than 65,536': lambda p: tarred(p, ('other', bytes(9 * MOST), {})),
    'more than 65': lambda p: long_header(p),
}


@pytest.mark.parametrize('words', TARS)
def test_a_hostile_tar_is_refused(tmp_path, words):
  path = TARS[words](tmp_path / 'x.tar.gz')
  with pytest.raises(Exception, match=words):
    archives.read_tar(path, ('a', 'b'), MOST)


@pytest.mark.parametrize('mode', ['w', 'w:gz'])
def test_a_plain_tar_is_read(tmp_path, mode):
  path = tarred(tmp_path / 'x', GOOD, ('other', b'x', {}), mode=mode)
  assert archives.read_tar(path, ('a', 'b'), MOST) == {'a': b'some'}


def test_no_more_is_unpacked_than_allowed(tmp_path):
  path = tmp_path / 'x'
  for pack in (bytes, gzip.compress):
    path.write_bytes(pack(bytes(MOST)))
    assert archives.unpacked(path, MOST) == bytes(MOST)
    path.write_bytes(pack(bytes(MOST + 1)))
    with pytest.raises(ValueError, match='more than 65,536 bytes'):
      archives.unpacked(path, MOST)
  os.truncate(path, 3)
  with pytest.raises(EOFError):
    archives.unpacked(path, MOST)
