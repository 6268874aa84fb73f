"""Files of a data set: the folders to search, readers and digests."""
import hashlib
import os
import pathlib

import numpy as np

from swae_jax import errors


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
      if (folder / choice).exists():
        return folder / choice
  return None


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


def npz(path: str | os.PathLike[str], *keys: str) -> list[np.ndarray]:
  """The arrays `keys` of an npz file, in this order; DamagedData if this fails.
  """
  try:
    # np.load itself leaves damaged files open.
    with open(path, 'rb') as file, np.load(file) as found:
      return [found[key] for key in keys]
  except Exception as e:  # NumPy raises almost anything for damaged files.
    raise errors.DamagedData(
        f'{path}: no npz file with {", ".join(keys)} ({e}): fetch the file '
        'again') from e
