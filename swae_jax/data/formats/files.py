"""Where the files of a data set are looked for, and their digests."""
import hashlib
import pathlib

import numpy as np

from swae_jax import errors


def folders(name, dir):
  """`dir`/`name`, which goes first, and `dir`; none where no dir is given."""
  root = pathlib.Path(dir).expanduser()
  return (root / name, root) if dir else ()


def find(name, dir, *choices):
  """The first of the files or folders `choices` that is there, or None."""
  for choice in choices:
    for folder in folders(name, dir):
      if (folder / choice).exists():
        return folder / choice
  return None


def missing(name, dir, needed):
  """The error that says what is needed, where, and what to do."""
  where = ' nor in '.join(str(folder) for folder in folders(name, dir))
  where = f'is not in {where}' if dir else 'is needed, but no folder is given'
  return errors.MissingData(
      f'{name}: {needed} {where}: name the folder that holds it with '
      f'--config.data.dir=DIR, or run python -m swae_jax.prepare {name} '
      '--data_dir=DIR')


def digest(path, kind='sha256'):
  """The digest (hex) of the file at `path`."""
  try:
    with open(path, 'rb') as file:
      return hashlib.file_digest(file, kind).hexdigest()
  except OSError as e:
    raise errors.UserError(f'{path}: cannot be read: {e.strerror}') from e


def check(path, found, expected, kind='sha256'):
  """Raises DamagedData where the content at `path` is not what it must be."""
  if found != expected:
    raise errors.DamagedData(f'{path}: the content has {kind} {found}, '
                             f'expected {expected}: fetch the file again')


def npz(path, *keys):
  """The arrays `keys` of the npz file at `path`, a list."""
  try:
    # Opened here: np.load leaves damaged files open.
    with open(path, 'rb') as file, np.load(file) as found:
      return [found[key] for key in keys]
  except Exception as e:  # NumPy raises almost anything then.
    raise errors.DamagedData(
        f'{path}: no npz file with {", ".join(keys)} ({e}): fetch the file '
        'again') from e
