"""A cache of arrays: to decode pictures takes minutes, to read takes seconds.

Without a folder of its own the cache is in the user's folder for caches, never
beside the data, which may belong to somebody else.
"""
from collections.abc import Callable, Iterator
import contextlib
import contextvars
import hashlib
import json
import os
import pathlib
import time
from typing import Any
import uuid

import numpy as np

from swae_jax import errors
from swae_jax.data.formats import arrays

UNUSED = 60 * 24 * 3600  # Seconds; the default folder drops older files.
_WRITES = contextvars.ContextVar('writes', default=True)


@contextlib.contextmanager
def unwritten() -> Iterator[None]:
  """In this context the cache is read, and nothing is written."""
  token = _WRITES.set(False)
  try:
    yield
  finally:
    _WRITES.reset(token)


def default() -> pathlib.Path | None:
  """The folder of the cache if none is given; None without a home folder."""
  home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  return pathlib.Path(home, 'swae_jax') if os.path.isabs(home) else None


def kept(folder: str | os.PathLike[str], name: str, source: Any,
         make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
  """The arrays that an earlier call has kept, or else make().

  Args:
    folder: the folder of the cache; '' takes `default`.
    name: the start of the name of the file.
    source: everything that the arrays depend on, as values of JSON; each source
      has its own file.
    make: () -> {name: array}.
  """
  where = errors.path(folder) if folder else default()
  if where is None:
    return make()
  key = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()
  path = where / f'{name}-{key[:16]}.npz'
  # npz files have a checksum: the cache replaces a damaged file.
  with contextlib.suppress(Exception):
    found = arrays.read(path)
    if _WRITES.get() and not folder:
      os.utime(path)
    return found
  found = make()
  if _WRITES.get():
    # The disk is read-only or full; the next run decodes again.
    with contextlib.suppress(OSError):
      _write(path, found)
      if not folder:
        _drop_unused(where)
  return found


def _write(path, found):
  """Writes the whole file or no file."""
  # Each call has its own name, because processes may write at the same time.
  part = path.with_name(f'{path.name}.{uuid.uuid4().hex}')
  path.parent.mkdir(parents=True, exist_ok=True)
  if not path.parent.stat().st_mode & 0o222:
    return  # Root could write here, but a read-only folder stays as it is.
  try:
    with open(part, 'xb') as file:
      np.savez(file, **found)
    os.replace(part, path)
  except OSError:
    with contextlib.suppress(OSError):
      part.unlink()
    raise


def _drop_unused(folder):
  for path in folder.glob('*-*.npz*'):
    if time.time() - path.stat().st_mtime > UNUSED:
      path.unlink()
