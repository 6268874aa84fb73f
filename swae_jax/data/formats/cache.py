"""Decoded images on disk: what takes minutes once takes seconds then."""
import contextlib
import hashlib
import json
import os
import pathlib
import uuid

import numpy as np

from swae_jax import errors
from swae_jax.data.formats import files


def images(folder, name, source, make):
  """make(), or the same array as it was kept in `folder`; and its path.

  `source` says in JSON all that the array depends on: another source makes
  another file.  The npz format carries a checksum, so that a damaged file is
  made anew.  In a folder that cannot be written the path is None.
  """
  key = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()
  path = pathlib.Path(folder).expanduser() / f'{name}-{key[:16]}.npz'
  with contextlib.suppress(errors.DamagedData):  # Or not there at all.
    return files.npz(path, 'images')[0], path
  array = make()
  return array, path if _write(path, array) else None


def _write(path, array):
  """Writes the whole file or none; False where it cannot be."""
  # A name of its own: several processes may do the same at once.
  part = path.with_name(f'{path.name}.{uuid.uuid4().hex}')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.stat().st_mode & 0o222:
      return False  # Root could, but the folder is marked as read-only.
    with open(part, 'wb') as file:
      np.savez(file, images=array)
    os.replace(part, path)
    return True
  except OSError:  # Read-only, or full: the next run decodes again.
    with contextlib.suppress(OSError):
      part.unlink()
    return False
