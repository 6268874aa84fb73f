"""Where a run is kept: a folder on a disk, or in a bucket, gs://BUCKET/RUN.

Both are paths of etils.epath.  In a bucket a file is there when all of it has
been written, and not before; but it cannot be added to, nothing moves in one
step, and there are no locks.  What has to know that asks `in_bucket`.
"""
import contextlib
import importlib.util
import shutil

from etils import epath

from swae_jax import errors


def path(name):
  """A path on a disk, or in a bucket; raises UserError without a client."""
  scheme, colon, _ = str(name).partition('://')
  if not colon:
    return epath.Path(name)
  if scheme != 'gs':
    raise errors.UserError(f'{name}: there is no storage {scheme}://; use a '
                           'folder, or gs://')
  if not importlib.util.find_spec('tensorflow'):  # It has a client of its own.
    if not importlib.util.find_spec('gcsfs'):
      raise errors.UserError(f'{name} needs gcsfs: pip install gcsfs')
    import fsspec
    # TensorStore and other hosts write, too, which a list in memory misses.
    fsspec.config.conf.setdefault('gcs', {})['use_listings_cache'] = False
  return epath.Path(name)


def in_bucket(where):
  """Whether a path is one in a bucket."""
  return '://' in str(where)


def free(folder):
  """Bytes of room, or None where there is no limit."""
  return None if in_bucket(folder) else shutil.disk_usage(folder).free


def move(source, target):
  """Moves a file or a folder; returns the target.

  In a bucket file after file: what is interrupted is in both places.
  """
  if not in_bucket(source):
    return source.rename(target)
  files = list(_files(source))
  for file in files:
    file.copy(epath.Path(f'{target}{str(file)[len(str(source)):]}'),
              overwrite=True)
  _unlink(files)
  return target


def remove(folder):
  """Deletes a folder, as far as that goes."""
  if in_bucket(folder):
    _unlink(_files(folder))
  else:
    shutil.rmtree(folder, ignore_errors=True)


def _files(path):
  if not path.is_dir():
    yield path
    return
  for inner in path.iterdir():
    if inner != path:  # Some clients list a folder in itself.
      yield from _files(inner)


def _unlink(files):
  for file in files:
    with contextlib.suppress(FileNotFoundError):
      file.unlink()
