"""One process at a time in a bucket, which has no locks.

An object says who is at work, and is written anew every few seconds.  One that
has not been for a while is of a process that died.  Two that start at once
both write it, and the later one stays.
"""
import contextlib
import json
import os
import pathlib
import socket
import sys
import threading
import time
import uuid

from swae_jax import errors

RENEWED = 20.  # Seconds between two renewals; three missed, and it is over.
SETTLED = 3.  # Seconds in which another that starts now would have written.


@contextlib.contextmanager
def hold(path):
  """Holds the lease in a file; raises Busy, or NotWritable."""
  own = {'host': socket.gethostname(), 'pid': os.getpid(), 'boot': _boot(),
         'since': time.strftime('%Y-%m-%d %H:%M:%S'), 'id': uuid.uuid4().hex}
  _refuse(path, read(path))
  try:
    _write(path, own)
  except Exception as e:  # Clients have types of their own.
    text = ' '.join(str(e).split())[:150]
    raise errors.NotWritable(
        f'{path.parent} cannot be written ({type(e).__name__}: {text}); give '
        'another --workdir, or see to the credentials') from e
  time.sleep(SETTLED)
  _refuse(path, _taken(path, own))
  done = threading.Event()
  renewing = threading.Thread(target=_renew, args=(path, own, done),
                              daemon=True)
  renewing.start()
  try:
    yield
  finally:
    done.set()
    renewing.join()
    with contextlib.suppress(Exception):  # It runs out by itself.
      if not _taken(path, own):
        path.unlink()


def read(path):
  """What a lease says, or None where it is over or was never held."""
  try:
    found = json.loads(path.read_text())
    return found if time.time() - found['renewed'] < 3 * RENEWED else None
  except (FileNotFoundError, ValueError, KeyError):
    return None


def owner(found):
  """Who holds it, in words."""
  return f'{found["host"]}:{found["pid"]} since {found["since"]}'


def _refuse(path, found):
  if found and not _dead(found):
    raise errors.Busy(
        f'{path.parent} is in use by {owner(found)}; wait for it, or give '
        f'another --workdir; if it died, wait {3 * RENEWED:.0f} s')


def _dead(found):
  """Whether it was a process of this machine that is gone."""
  if (found['host'], found['boot']) != (socket.gethostname(), _boot()):
    return False
  try:
    os.kill(found['pid'], 0)
  except ProcessLookupError:
    return True
  except PermissionError:
    pass
  return False


def _boot():
  """What tells machines of one name apart, on Linux."""
  try:
    return pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()
  except OSError:
    return ''


def _write(path, own):
  path.write_text(json.dumps({**own, 'renewed': time.time()}))


def _taken(path, own):
  """What the lease of another one says, who has it by now, or None."""
  found = read(path)
  return found if found and found['id'] != own['id'] else None


def _renew(path, own, done):
  while not done.wait(RENEWED):
    with contextlib.suppress(Exception):  # The next one may pass.
      if other := _taken(path, own):  # This process had been stopped for long.
        print(f'swae_jax: {path.parent} was taken over by {owner(other)}; let '
              'it go on', file=sys.stderr, flush=True)
        os._exit(75)
      _write(path, own)
