"""One process at a time in a workdir.

On a disk the kernel gives the lock back when its owner dies, however that comes
about; in a bucket it is a lease.
"""
import contextlib
import errno
import fcntl
import json
import os
import socket
import time

from swae_jax import errors
from swae_jax.workdir import lease, storage


def hold(workdir):
  """Makes the workdir, if it is not there, and keeps others out of it."""
  path = storage.path(workdir) / 'lock'
  return lease.hold(path) if storage.in_bucket(path) else _hold(path)


@contextlib.contextmanager
def _hold(path):
  workdir = path.parent
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, 'a+')  # noqa: SIM115
  except OSError as e:
    if e.errno in errors.REFUSED:
      raise errors.NotWritable(
          f'{workdir} cannot be written ({e.strerror}); give another '
          '--workdir') from e
    raise
  with file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
      if e.errno not in (errno.EWOULDBLOCK, errno.EACCES):
        raise
      raise errors.Busy(f'{workdir} is in use by {owner(file)}; wait for it, '
                        'or give another --workdir') from e
    with contextlib.suppress(OSError):  # On a full disk it holds all the same.
      os.ftruncate(file.fileno(), 0)
      os.write(file.fileno(), json.dumps({
          'host': socket.gethostname(), 'pid': os.getpid(),
          'since': time.strftime('%Y-%m-%d %H:%M:%S')}).encode())
    yield


def owner(file):
  """Who holds a lock, as its open file says."""
  file.seek(0)
  try:
    found = json.load(file)
    return f'{found["host"]}:{found["pid"]} since {found["since"]}'
  except (ValueError, KeyError):  # It is being written.
    return 'another process'


def holder(workdir):
  """Who holds the lock of a workdir, or None."""
  path = storage.path(workdir) / 'lock'
  if storage.in_bucket(path):
    found = lease.read(path)
    return found and lease.owner(found)
  if not path.exists():
    return None
  with path.open() as file:
    try:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
      return owner(file)
  return None
