"""Where a run is kept: a folder on a disk, or one in a bucket, gs://BUCKET/RUN.

Both are paths of etils.epath.  Commands and `training.train.run` turn the text
of a user into a path; all functions below them take paths.  A file in a bucket
appears when all of it has been written, and not before.  But nothing can be
added to such a file, no folder moves in one step, and there are no locks: code
that depends on this asks `in_bucket`.
"""
from collections.abc import Iterable, Iterator
import contextlib
import importlib.util
import os
import pathlib
import shutil

from etils import epath

from swae_jax import errors

Path = epath.Path | pathlib.Path


def path(name: str | os.PathLike[str]) -> epath.Path:
  """The path of a name, where ~ is the home folder.

  Raises UserError if there can be no such path, or its client is not installed.
  """
  scheme, colon, rest = str(name).partition('://')
  if not colon:
    return epath.Path(errors.path(name))
  if scheme != 'gs' or not rest.strip('/'):
    raise errors.UserError(f'{name}: there is no such storage; use a folder, '
                           'or gs://BUCKET/FOLDER')
  # Orbax needs google-cloud-storage, too, which comes with gcsfs.
  if not importlib.util.find_spec('gcsfs'):
    raise errors.UserError(f'{name} needs gcsfs: pip install gcsfs')
  import fsspec.config
  # A list kept in memory misses what TensorStore and other hosts write.
  fsspec.config.conf.setdefault('gcs', {})['use_listings_cache'] = False
  return epath.Path(name)


def check(where: Path, flag: str) -> None:
  """Refuses a folder that cannot be made or written, before it is needed."""
  if in_bucket(where):
    return
  there = where = pathlib.Path(where)
  while not os.path.lexists(there):
    there = there.parent
  if not there.is_dir():
    raise errors.UserError(
        f'--{flag}={where}: {there} is no folder; give another --{flag}')
  if not os.access(there, os.W_OK | os.X_OK):
    raise errors.NotWritable(f'{there} cannot be written; give another '
                             f'--{flag}')


def in_bucket(where: Path) -> bool:
  """Whether a path lies in a bucket."""
  return '://' in str(where)


def free(folder: Path) -> int | None:
  """The bytes that are free, or None where there is no limit."""
  return None if in_bucket(folder) else shutil.disk_usage(folder).free


def check_plain(folder: Path) -> None:
  """Refuses a run with a pipe or a device in it: to open one may never end."""
  if in_bucket(folder) or not folder.is_dir():
    return
  for name in os.listdir(folder):  # epath takes a pipe for a file.
    path = os.path.join(folder, name)
    if os.path.exists(path) and not (
        os.path.isfile(path) or os.path.isdir(path)):
      raise errors.DamagedData(f'{path} is no plain file: remove it')


def move(source: Path, target: Path) -> Path:
  """Moves a file or a folder; returns the target.

  In a bucket the files move one after the other; after an interruption some of
  them are in both places.
  """
  if not in_bucket(source):
    return source.rename(target)
  files = list(_files(source))
  for file in files:
    copy = epath.Path(f'{target}{str(file).removeprefix(str(source))}')
    epath.Path(file).copy(copy, overwrite=True)
  _unlink(files)
  return target


def remove(folder: Path) -> None:
  """Deletes a folder as far as that is possible."""
  if in_bucket(folder):
    _unlink(_files(folder))
  else:
    shutil.rmtree(folder, ignore_errors=True)


def _files(folder: Path) -> Iterator[Path]:
  if not folder.is_dir():
    yield folder
    return
  for inner in folder.iterdir():
    if inner != folder:  # Some clients list a folder in itself.
      yield from _files(inner)


def _unlink(files: Iterable[Path]) -> None:
  for file in files:
    with contextlib.suppress(FileNotFoundError):
      file.unlink()
