"""Archives of others, checked before anything in them is used.

No file of an archive is written to a disk.  A check refuses whatever a data set
does not need: names that lead out of the archive, links, encrypted files, names
that occur twice, and files that are larger than the data can be.
"""
from collections.abc import Container
import gzip
import pathlib
import stat
import tarfile
from typing import Any
import zipfile

from swae_jax import errors

GZIP = b'\x1f\x8b'
METHODS = {zipfile.ZIP_STORED: '', zipfile.ZIP_DEFLATED: 'zlib',
           zipfile.ZIP_BZIP2: 'bz2', zipfile.ZIP_LZMA: 'lzma'}
AGAIN = 'fetch the file again, or pack its files anew'


class Limited:
  """A file that refuses to give more than `most` bytes."""

  def __init__(self, file: Any, most: int):
    self._file, self._most, self._left = file, most, most

  def read(self, size: int = -1) -> bytes:
    """The next `size` bytes, or all; ValueError if that is too much."""
    wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
    content = self._file.read(wanted)
    self._left -= len(content)
    if self._left < 0:
      raise ValueError(f'more than {self._most:,} bytes unpacked')
    return content


def unpacked(path: pathlib.Path, most: int) -> bytes:
  """The content of a file, gzipped or plain; ValueError if beyond `most`."""
  with open(path, 'rb') as file:
    packed = file.read(2) == GZIP  # Some tools unpack a file, keep its name.
    file.seek(0)
    if not packed:
      return Limited(file, most).read()
    with gzip.GzipFile(fileobj=file) as inner:
      return Limited(inner, most).read()


def fault_of_name(name: str) -> str:
  """The fault of a member's name in words; '' if there is none."""
  parts = name.replace('\\', '/').split('/')
  if '\0' in name:
    return 'its name has a NUL'
  if '..' in parts or not parts[0] or parts[0].endswith(':'):
    return 'its name leads out of the archive'
  return ''


def open_zip(path: pathlib.Path, most: int
             ) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
  """An open zip file and its files by name, all of them checked.

  Args:
    path: the path of the file.
    most: the largest size of an unpacked file, in bytes.

  Raises:
    errors.DamagedData: no zip file, or a file in it is refused.
  """
  try:
    archive = zipfile.ZipFile(path)
  except (OSError, ValueError, NotImplementedError,
          zipfile.BadZipFile) as e:
    raise errors.DamagedData(
        f'{path}: no zip file or an incomplete one ({e}), '
        f'{path.stat().st_size} bytes: fetch the file again') from e
  found: dict[str, zipfile.ZipInfo] = {}
  for info in archive.infolist():
    name = info.orig_filename
    fault = ('two files have this name' if name in found
             else _fault_of_member(info, most))
    if fault:
      archive.close()
      raise errors.DamagedData(f'{path}: {name!r} is refused: {fault}: {AGAIN}')
    if not info.is_dir():
      found[name] = info
  return archive, found


def _fault_of_member(info, most):
  kind = stat.S_IFMT(info.external_attr >> 16)
  if fault := fault_of_name(info.orig_filename):
    return fault
  if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
    return 'it is a link or a device'
  if info.flag_bits & 0x41:
    return 'it is encrypted'
  if info.compress_type not in METHODS:
    return f'it is packed by method {info.compress_type}, which Python lacks'
  if info.file_size > most:
    return f'{info.file_size:,} bytes unpacked, at most {most:,} are allowed'
  return ''


def read_tar(path: pathlib.Path, names: Container[str],
             most: int) -> dict[str, bytes]:
  """{name without folders: content} of the files `names` in a tar file.

  Args:
    path: the path of the file, gzipped or plain.
    names: names without folders.
    most: the largest size of the unpacked archive, in bytes.

  Raises:
    Exception: the file is damaged or refused; the type is almost any.
  """
  contents: dict[str, bytes] = {}
  with open(path, 'rb') as file:
    packed = file.read(2) == GZIP
    file.seek(0)
    inner: Any = gzip.GzipFile(fileobj=file) if packed else file
    # tarfile reads a long header whole, so the limit is below it.
    limited: Any = Limited(inner, most)
    with tarfile.open(fileobj=limited, mode='r|') as tar:
      for member in tar:
        name = pathlib.PurePosixPath(member.name).name
        fault = fault_of_name(member.name)
        # A sparse file may be far larger than its archive.
        if name in names and (not member.isreg() or member.issparse()):
          fault = 'it is not a plain file'
        if name in contents:
          fault = 'two files have this name'
        if fault:
          raise ValueError(f'{member.name!r} is refused: {fault}')
        if name in names:
          content: Any = tar.extractfile(member)
          contents[name] = content.read()
  return contents
