"""Reader of the idx format of MNIST, gzipped or plain."""
import gzip
import hashlib
import math
import pathlib
import struct
import zlib

import numpy as np

from swae_jax import errors

UINT8 = b'\0\0\x08'  # Two zero bytes and the code of the type.
GZIP = b'\x1f\x8b'


def read(path: pathlib.Path, sha256: str) -> np.ndarray:
  """The uint8 array of an idx file; DamagedData if the digest differs.

  `sha256` is the digest of the unpacked content.
  """
  content = _unpacked(path)
  array = _parse(path, content)
  found = hashlib.sha256(content).hexdigest()
  if found != sha256:
    raise errors.DamagedData(f'{path}: the unpacked content has sha256 {found},'
                             f' expected {sha256}: fetch the file again')
  return array


def _unpacked(path):
  try:
    content = path.read_bytes()
  except OSError as e:
    raise errors.UserError(f'{path}: cannot be read: {e.strerror}') from e
  # The content decides: some tools unpack a file and keep its name.
  if not content.startswith(GZIP):
    return content
  try:
    return gzip.decompress(content)
  except (EOFError, OSError, zlib.error) as e:
    raise errors.DamagedData(f'{path}: damaged gzip file of {len(content)} '
                             f'bytes ({e}): fetch the file again') from e


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
