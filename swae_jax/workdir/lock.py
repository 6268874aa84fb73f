"""One process at a time in a workdir.

In a folder the lock is filelock's: the kernel gives it back when its owner
dies, whatever ends it.  A bucket has no locks, so there a lease does what it
can: an object that says who is at work, written anew every few seconds.  Once
it has not been renewed for a while, its owner counts as dead.  Of two processes
that start at once both write the lease, and the one that writes last keeps it.
"""
from collections.abc import Iterator
import contextlib
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

Owner = dict[str, Any]


def hold(workdir: storage.Path) -> contextlib.AbstractContextManager[None]:
  """Makes the workdir, if it is not there, and keeps other processes out.

  Raises:
    errors.Busy: another process is at work in it.
    errors.NotWritable: the workdir cannot be written.
  """
  if storage.in_bucket(workdir):
    return _hold_lease(workdir / 'lock')
  return _hold_lock(workdir / 'lock')


def holder(workdir: storage.Path) -> str | None:
  """Who is at work in a workdir, or None."""
  path = workdir / 'lock'
  if storage.in_bucket(path):
    return _words(lease) if (lease := _read_lease(path)) else None
  if path.exists():
    try:
      with filelock.FileLock(str(path), timeout=0):
        pass
    except filelock.Timeout:
      return _words(_read(_card(path)))
    except OSError:  # Nobody can be at work where nothing can be written.
      pass
  return None


@contextlib.contextmanager
def _hold_lock(path: storage.Path) -> Iterator[None]:
  workdir = path.parent
  lock = filelock.FileLock(str(path), timeout=0)
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    lock.acquire()
  except filelock.Timeout as e:
    raise errors.Busy(f'{workdir} is in use by {_words(_read(_card(path)))}; '
                      'wait for it, or give another --workdir') from e
  except OSError as e:
    if os.path.isdir(path) or os.path.islink(path):
      raise errors.NotWritable(f'{path} must be a file; move away what is there'
                               ) from e
    if e.errno not in errors.REFUSED:
      raise
    raise errors.NotWritable(f'{workdir} cannot be written ({e.strerror}); give'
                             ' another --workdir') from e
  try:
    with contextlib.suppress(OSError):  # The lock also holds on a full disk.
      files.write_json(_card(path), _this_process())
    yield
  finally:
    with contextlib.suppress(OSError):
      _card(path).unlink(missing_ok=True)
    lock.release()


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
  except (FileNotFoundError, ValueError):
    return None


def _words(owner: Owner | None) -> str:
  if owner is None:  # It has yet to write its name.
    return 'another process'
  return f'{owner["host"]}:{owner["pid"]} since {owner["since"]}'


@contextlib.contextmanager
def _hold_lease(path: storage.Path) -> Iterator[None]:
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
  try:
    yield
  finally:
    done.set()
    renewing.join()
    with contextlib.suppress(Exception):  # A lease that stays runs out.
      if not _taken(path, own):
        path.unlink()


def _write_lease(path: storage.Path, own: Owner) -> None:
  path.write_text(json.dumps({**own, 'renewed': time.time()}))


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
        f'another --workdir; if it died, wait {3 * RENEWED:.0f} s')


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
      _write_lease(path, own)
