"""Files of a data set: where they are looked for, and their digests."""
import hashlib
import os
import pathlib

import numpy as np

from swae_jax import errors


def folders(name: str, dir: str) -> tuple[pathlib.Path, ...]:
  """The folders of a data set: `dir`/`name`, then `dir`; () without a dir."""
  root = pathlib.Path(dir).expanduser()
  return (root / name, root) if dir else ()


def find(name: str, dir: str, *choices: str) -> pathlib.Path | None:
  """The first of the files or folders `choices` that exists, or None."""
  for choice in choices:
    for folder in folders(name, dir):
      if (folder / choice).exists():
        return folder / choice
  return None


def missing(name: str, dir: str, needed: str) -> errors.MissingData:
  """The error for a missing file: its name, the folders, and what to do."""
  where = ' nor in '.join(str(folder) for folder in folders(name, dir))
  where = f'is not in {where}' if dir else 'is needed, but no folder is given'
  return errors.MissingData(
      f'{name}: {needed} {where}: name the folder that holds it with '
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
  """The arrays `keys` of an npz file."""
  try:
    # np.load alone leaves damaged files open.
    with open(path, 'rb') as file, np.load(file) as found:
      return [found[key] for key in keys]
  except Exception as e:  # NumPy raises almost anything for damaged files.
    raise errors.DamagedData(
        f'{path}: no npz file with {", ".join(keys)} ({e}): fetch the file '
        'again') from e
