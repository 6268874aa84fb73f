"""Reader of .npy and .npz files, which trusts no header.

Whatever a header says is compared with the size of the file before an array is
made, and objects, which are pickles, are refused.
"""
from collections.abc import Container
import math
import os
import pathlib
from typing import IO

import numpy as np

from swae_jax.data.formats import archives

SMALL = 1 << 28  # Any file may unpack to as many bytes.
RATIO = 100  # Larger ones may unpack to so many times their own size.


def read(path: str | os.PathLike[str], names: Container[str] | None = None,
         most: int | None = None) -> dict[str, np.ndarray]:
  """{name: array} of an .npz file; the name is '' in an .npy file.

  Args:
    path: the path of the file; its content decides on the form.
    names: the arrays that are wanted; None reads all.
    most: the bytes of all these arrays together; None takes SMALL, or RATIO
      times the size of the file.

  Raises:
    Exception: the file is damaged or refused; the type is almost any.
  """
  path = pathlib.Path(path)
  if not path.is_file():  # To open a pipe would wait for ever.
    raise FileNotFoundError('there is no such file')
  size = path.stat().st_size
  with open(path, 'rb') as file:
    if file.read(2) != b'PK':
      file.seek(0)
      _check(file, size)
      file.seek(0)
      return {'': np.lib.format.read_array(file, allow_pickle=False)}
  limit = max(SMALL, RATIO * size) if most is None else most
  archive, members = archives.open_zip(path, limit)
  with archive:
    wanted = {name.removesuffix('.npy'): member
              for name, member in members.items()
              if names is None or name.removesuffix('.npy') in names}
    total = sum(member.file_size for member in wanted.values())
    if total > limit:
      raise ValueError(f'{total:,} bytes unpacked, at most {limit:,} are '
                       'allowed')
    return {name: _member(archive, member) for name, member in wanted.items()}


def _member(archive, member):
  with archive.open(member) as file:
    _check(file, member.file_size)
  with archive.open(member) as file:
    return np.lib.format.read_array(file, allow_pickle=False)


def _check(file: IO[bytes], size: int) -> None:
  """Raises ValueError if the header and the size of an array disagree."""
  version = np.lib.format.read_magic(file)
  if version == (1, 0):
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
  elif version == (2, 0):
    shape, _, dtype = np.lib.format.read_array_header_2_0(file)
  else:
    raise ValueError(f'version {version} of the format')
  if dtype.kind not in 'biufcSU':
    raise ValueError(f'an array of {dtype}, which are not numbers or texts')
  expected = file.tell() + math.prod(shape) * dtype.itemsize
  if min(shape, default=0) < 0 or expected != size:
    raise ValueError(f'{size:,} bytes for {dtype} {list(shape)}, which takes '
                     f'{expected:,}')
