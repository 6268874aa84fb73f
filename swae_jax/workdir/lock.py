"""One process at a time in a workdir.

In a folder the lock is filelock's: the kernel gives it back when its owner
dies, whatever ends it.  A bucket has no locks, and some file systems have none,
so there a lease does what it can: a file that says who is at work, written anew
every few seconds.  Once it has not been renewed for a while, its owner counts
as dead.  Of two processes that start at once both write the lease, and the one
that writes last keeps it.

A lock holds a file, not a path.  So its holder looks, before it writes, whether
the file is still at the path: the workdir may have been moved or deleted, and
another run may have taken its place.
"""
from collections.abc import Callable, Iterator
import contextlib
import errno
import json
import os
import pathlib
import socket
import sys
import threading
import time
from typing import Any
import uuid

import filelock

from swae_jax import errors
from swae_jax.workdir import files, storage

RENEWED = 20.  # Seconds between two renewals; a lease outlives two missed ones.
SETTLED = 3.  # Seconds in which a process that starts at once has written, too.

# Error numbers of file systems without locks.
LACKING = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)

Owner = dict[str, Any]
Check = Callable[[], None]  # Raises Busy once the workdir is another's.


@contextlib.contextmanager
def hold(workdir: storage.Path) -> Iterator[Check]:
  """Makes the workdir, if it is not there, and keeps other processes out.

  Yields:
    A Check, to call before something is written.

  Raises:
    errors.Busy: another process is at work in it.
    errors.NotWritable: the workdir cannot be written.
  """
  path = workdir / 'lock'
  with contextlib.ExitStack() as stack:
    found = None
    if not storage.in_bucket(path):
      found = _take_lock(path)
    if found:
      yield stack.enter_context(_hold_lock(path, found))
    else:
      yield stack.enter_context(_hold_lease(path))


def holder(workdir: storage.Path) -> str | None:
  """Who is at work in a workdir, or None."""
  path = workdir / 'lock'
  if not storage.in_bucket(path):
    if not path.exists():
      return None
    try:
      with _file_lock(path):
        return None
    except filelock.Timeout:
      return _words(_read(_card(path)))
    except OSError as e:
      if e.errno not in LACKING:
        return None  # Nobody can be at work where nothing can be written.
  return _words(lease) if (lease := _read_lease(path)) else None


def _file_lock(path: storage.Path) -> filelock.BaseFileLock:
  # The soft lock of filelock outlives a process that is killed.
  return filelock.FileLock(str(path), timeout=0, fallback_to_soft=False)


def _take_lock(path: storage.Path) -> filelock.BaseFileLock | None:
  """The lock, held; None where the file system has no locks."""
  workdir, lock = path.parent, _file_lock(path)
  try:
    files.make_folder(workdir)
    lock.acquire()
  except filelock.Timeout as e:
    raise errors.Busy(f'{workdir} is in use by {_words(_read(_card(path)))}; '
                      'wait for it, or give another --workdir') from e
  except OSError as e:
    if os.path.isdir(path) or os.path.islink(path):
      raise errors.NotWritable(f'{path} must be a file; move away what is there'
                               ) from e
    if e.errno in LACKING:
      return None
    if e.errno not in errors.REFUSED:
      raise
    raise errors.NotWritable(f'{workdir} cannot be written ({e.strerror}); give'
                             ' another --workdir') from e
  return lock


@contextlib.contextmanager
def _hold_lock(path: storage.Path,
               lock: filelock.BaseFileLock) -> Iterator[Check]:
  own = os.stat(path)

  def check() -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
      if os.path.samestat(os.stat(path), own):
        return
    raise _moved(path)

  try:
    with contextlib.suppress(OSError):  # The lock also holds on a full disk.
      files.write_json(_card(path), _this_process())
    yield check
  finally:
    with contextlib.suppress(OSError, errors.Busy):
      check()
      _card(path).unlink(missing_ok=True)
    lock.release()


def _moved(path: storage.Path) -> errors.Busy:
  return errors.Busy(
      f'{path.parent} is no longer the workdir of this run: it was moved or '
      'deleted, or another run is in its place; this run ends, and writes '
      'nothing there')


def _card(path: storage.Path) -> storage.Path:
  """The file that says who holds a lock: opening the lock may empty it."""
  return path.with_name('lock.json')


def _this_process() -> Owner:
  return {'host': socket.gethostname(), 'boot': _boot(), 'pid': os.getpid(),
          'since': time.strftime('%Y-%m-%d %H:%M:%S')}


def _boot() -> str:
  """An id that tells apart machines of one name, on Linux."""
  try:
    return pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()
  except OSError:
    return ''


def _read(path: storage.Path) -> Owner | None:
  """The owner that a file names, or None."""
  try:
    return json.loads(path.read_text())
  except (FileNotFoundError, NotADirectoryError, ValueError):
    return None


def _words(owner: Owner | None) -> str:
  if owner is None:  # It has yet to write its name.
    return 'another process'
  return f'{owner["host"]}:{owner["pid"]} since {owner["since"]}'


@contextlib.contextmanager
def _hold_lease(path: storage.Path) -> Iterator[Check]:
  own = {**_this_process(), 'id': uuid.uuid4().hex}
  _refuse(path, _read_lease(path))
  try:
    _write_lease(path, own)
  except Exception as e:  # Each client of a bucket has types of its own.
    text = ' '.join(str(e).split())[:150]
    raise errors.NotWritable(
        f'{path.parent} cannot be written ({type(e).__name__}: {text}); give '
        'another --workdir, or see to the credentials') from e
  time.sleep(SETTLED)
  _refuse(path, _taken(path, own))
  done = threading.Event()
  renewing = threading.Thread(
      target=_renew, args=(path, own, done), daemon=True)
  renewing.start()

  def check() -> None:
    if not _is_own(path, own):
      raise _moved(path)

  try:
    yield check
  finally:
    done.set()
    renewing.join()
    with contextlib.suppress(Exception):  # A lease that stays runs out.
      check()
      path.unlink()


def _write_lease(path: storage.Path, own: Owner) -> None:
  files.replace(path, json.dumps({**own, 'renewed': time.time()}).encode())


def _is_own(path: storage.Path, own: Owner) -> bool:
  """Whether the lease is this process's, fresh or not."""
  found = _read(path)
  return found is not None and found.get('id') == own['id']


def _read_lease(path: storage.Path) -> Owner | None:
  """The owner of a lease, or None where the lease has run out."""
  found = _read(path)
  fresh = found and time.time() - found.get('renewed', 0.) < 3 * RENEWED
  return found if fresh else None


def _taken(path: storage.Path, own: Owner) -> Owner | None:
  """The other process that has the lease by now, or None."""
  found = _read_lease(path)
  return found if found and found['id'] != own['id'] else None


def _refuse(path: storage.Path, owner: Owner | None) -> None:
  if owner and not _dead(owner):
    raise errors.Busy(
        f'{path.parent} is in use by {_words(owner)}; wait for it, or give '
        f'another --workdir; if it died, wait {3 * RENEWED:.0f} s, or delete '
        f'{path}')


def _dead(owner: Owner) -> bool:
  """Whether the owner was a process of this machine that has ended."""
  this = _this_process()
  if any(owner[name] != this[name] for name in ('host', 'boot')):
    return False
  try:
    os.kill(owner['pid'], 0)
  except ProcessLookupError:
    return True
  except PermissionError:
    pass
  return False


def _renew(path: storage.Path, own: Owner, done: threading.Event) -> None:
  while not done.wait(RENEWED):
    with contextlib.suppress(Exception):  # The next renewal may succeed.
      if other := _taken(path, own):  # This process was suspended for long.
        print(f'swae_jax: {_words(other)} has taken over {path.parent}; this '
              'process ends', file=sys.stderr, flush=True)
        os._exit(errors.Busy.code)
      if _is_own(path, own):
        _write_lease(path, own)
