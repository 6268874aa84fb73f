"""Files of a data set: the folders to search, readers and digests."""
import hashlib
import os
import pathlib

import numpy as np

from swae_jax import errors
from swae_jax.data.formats import arrays


def folders(name: str, dir: str) -> tuple[pathlib.Path, ...]:
  """The folders to search: `dir`/`name`, then `dir`; () if `dir` is empty."""
  if not dir:
    return ()
  root = errors.path(dir)
  return root / name, root


def find(name: str, dir: str, *choices: str) -> pathlib.Path | None:
  """The path of the first existing file or folder of `choices`, or None."""
  for choice in choices:
    for folder in folders(name, dir):
      path = folder / choice
      if path.is_file() or path.is_dir():  # A pipe would wait for ever.
        return path
  return None


def record(path: pathlib.Path) -> str:
  """A path as a run keeps it; ~ stands for the home folder, which has a name.
  """
  home = os.path.expanduser('~')
  return f'~{str(path).removeprefix(home)}' if path.is_relative_to(
      home) and os.path.dirname(home) != home else str(path)


def missing(name: str, dir: str, needed: str) -> errors.MissingData:
  """The error for a missing file, with its name, the folders and a remedy."""
  where = ' nor in '.join(str(folder) for folder in folders(name, dir))
  where = f'but is neither in {where}' if dir else 'but no folder is given'
  return errors.MissingData(
      f'{name}: {needed} is needed, {where}: give the folder with '
      f'--config.data.dir=DIR, or run swae prepare {name} '
      '--data_dir=DIR')


def digest(path: str | os.PathLike[str], kind: str = 'sha256') -> str:
  """The digest (hex) of a file."""
  try:
    with open(path, 'rb') as file:
      return hashlib.file_digest(file, kind).hexdigest()
  except OSError as e:
    raise errors.UserError(f'{path}: cannot be read: {e.strerror}') from e


def check(path: str | os.PathLike[str], found: str, expected: str,
          kind: str = 'sha256') -> None:
  """Raises DamagedData if the digest of a file is not the expected one."""
  if found != expected:
    raise errors.DamagedData(f'{path}: the content has {kind} {found}, '
                             f'expected {expected}: fetch the file again')


def npz(path: str | os.PathLike[str], *keys: str,
        most: int | None = None) -> list[np.ndarray]:
  """The arrays `keys` of an npz file, in this order; DamagedData if this fails.

  `most` limits the bytes of these arrays; arrays.read says how, if None.
  """
  try:
    found = arrays.read(path, keys, most)
    return [found[key] for key in keys]
  except errors.UserError:
    raise
  except Exception as e:  # Damaged files raise almost anything.
    raise errors.DamagedData(
        f'{path}: no npz file with {", ".join(keys)} ({e}): fetch the file '
        'again') from e
