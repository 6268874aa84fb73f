"""Reader of the idx format of MNIST, gzipped or plain."""
import gzip
import hashlib
import math
import pathlib
import struct
import zlib

import numpy as np

from swae_jax import errors
from swae_jax.data.formats import archives

UINT8 = b'\0\0\x08'  # Two zero bytes and the code of the type.


def read(path: pathlib.Path, size: int) -> tuple[np.ndarray, str]:
  """The uint8 array of an idx file, and the sha256 of the unpacked content.

  Args:
    path: the path of the file.
    size: the size of the unpacked content; no more is unpacked.

  Raises:
    errors.DamagedData: the content is no idx file of this size.
  """
  content = _unpacked(path, size)
  return _parse(path, content), hashlib.sha256(content).hexdigest()


def _unpacked(path, size):
  try:
    return archives.unpacked(path, size)
  except (EOFError, gzip.BadGzipFile, zlib.error) as e:
    raise errors.DamagedData(
        f'{path}: damaged gzip file of {path.stat().st_size} bytes ({e}): '
        'fetch the file again') from e
  except ValueError as e:
    raise errors.DamagedData(f'{path}: {e}: fetch the file again') from e
  except OSError as e:
    raise errors.UserError(f'{path}: cannot be read: {e.strerror}') from e


def _parse(path, content):
  """The array; raises DamagedData if the header and the size disagree."""
  if len(content) < 4 or not content.startswith(UINT8):
    raise errors.DamagedData(
        f'{path}: no idx file of bytes: it starts with {content[:4].hex()!r}, '
        'expected 000008 and the number of axes: fetch the file again')
  ndim = content[3]
  start = 4 + 4 * ndim
  if len(content) < start:
    raise errors.DamagedData(f'{path}: the header ends after {len(content)} '
                             f'of {start} bytes: fetch the file again')
  shape = struct.unpack(f'>{ndim}I', content[4:start])
  size = start + math.prod(shape)
  if len(content) != size:
    raise errors.DamagedData(
        f'{path}: {len(content)} bytes unpacked, expected {size} for shape '
        f'{list(shape)}: fetch the file again')
  return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
