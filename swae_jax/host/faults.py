"""Faults on demand, so that tests can see what becomes of a run.

SWAE_JAX_FAULT=point:n[:action] does it at the n-th pass of a named point, or
from then on where n ends in +.  The points are

  step      before a training step
  save      before a checkpoint is written
  commit    when it is in its place
  prune     while an old one is being deleted
  metrics   before a line of metrics is written
  results   before results.json is written

and the actions exit137 (the default: as a SIGKILL does), enospc, eio, hang,
sigterm and sigint.  Where the variable is not set a point does nothing.
"""
import collections
import errno
import os
import signal
import time

_asked = os.environ.get('SWAE_JAX_FAULT', '')
_passed = collections.Counter()


def _fail(number):
  def action():
    raise OSError(number, os.strerror(number))
  return action


ACTIONS = {
    'exit137': lambda: os._exit(137),
    'enospc': _fail(errno.ENOSPC),
    'eio': _fail(errno.EIO),
    'hang': lambda: time.sleep(3600),
    'sigterm': lambda: os.kill(os.getpid(), signal.SIGTERM),
    'sigint': lambda: os.kill(os.getpid(), signal.SIGINT),
}


def point(name):
  """Passes a point at which a fault can be asked for."""
  if not _asked:
    return
  where, when, *action = _asked.split(':')
  if name != where:
    return
  _passed[name] += 1
  first = int(when.rstrip('+'))
  if _passed[name] == first or when.endswith('+') and _passed[name] > first:
    ACTIONS[action[0] if action else 'exit137']()
