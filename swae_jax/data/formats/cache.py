"""A cache of decoded images: to decode takes minutes, to read takes seconds."""
from collections.abc import Callable
import contextlib
import hashlib
import json
import os
import pathlib
from typing import Any
import uuid

import numpy as np

from swae_jax import errors
from swae_jax.data.formats import files


def images(folder: str | os.PathLike[str], name: str, source: Any,
           make: Callable[[], np.ndarray]
           ) -> tuple[np.ndarray, pathlib.Path | None]:
  """Returns the array that an earlier call has kept, or else make().

  Args:
    folder: the folder of the cache.
    name: the start of the name of the file.
    source: everything that the array depends on, as values of JSON; each source
      has its own file.
    make: () -> the array.

  Returns:
    The array, and the path of its file; None if the folder cannot be written.
  """
  key = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()
  path = errors.path(folder) / f'{name}-{key[:16]}.npz'
  # npz files have a checksum: the cache replaces a damaged file.
  with contextlib.suppress(errors.DamagedData):
    return files.npz(path, 'images')[0], path
  array = make()
  return array, path if _write(path, array) else None


def _write(path, array):
  """Writes the whole file or no file; returns whether the file exists."""
  # Each call has its own name, because processes may write at the same time.
  part = path.with_name(f'{path.name}.{uuid.uuid4().hex}')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.stat().st_mode & 0o222:
      return False  # Root could write here, but a read-only folder stays as is.
    with open(part, 'wb') as file:
      np.savez(file, images=array)
    os.replace(part, path)
    return True
  except OSError:  # The disk is read-only or full; the next run decodes again.
    with contextlib.suppress(OSError):
      part.unlink()
    return False
