"""Turns SIGTERM, SIGINT and SIGHUP into requests to stop training.

Inside `saving` a signal is only noted; the loop saves and stops at the end of
the step.  Elsewhere (while modules are loaded, the step is compiled or the run
is evaluated) there is nothing to save, and the process ends at once.  Python
runs a handler between two byte codes, and a compilation takes minutes between
two of them, so a thread waits for the signals.

From the signal to the end pass at most `limit` seconds, also where the storage
hangs or a step takes longer: whoever sends a signal kills the process soon.
"""
from collections.abc import Iterator
import contextlib
import os
import signal
import sys
import threading
import time
from typing import Any

_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TWICE = .5  # Seconds after which a second SIGINT is one of its own.
_state: dict[str, Any] = {
    'number': None, 'when': 0., 'saves': False, 'taken': (), 'limit': 10.}
_came = threading.Event()


def install() -> None:
  """Takes the signals over; call it in the main thread before slow imports.

  A second call changes nothing.
  A signal that the process was started to ignore stays ignored: SIGINT in the
  background of a script, SIGHUP under nohup.
  """
  if _state['taken']:
    return
  _state['taken'] = tuple(n for n in _NUMBERS
                          if signal.getsignal(n) != signal.SIG_IGN)
  read, write = os.pipe()
  os.set_blocking(write, False)
  for number in _state['taken']:
    signal.signal(number, lambda *_: None)  # Without it no byte is written.
  signal.set_wakeup_fd(write)
  # A forked worker must not write into this pipe, so signals wait until the
  # worker has its own handlers.
  os.register_at_fork(
      before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS),
      after_in_parent=_unblock, after_in_child=_give_back)
  threading.Thread(target=_listen, args=(read,), daemon=True).start()


def _give_back() -> None:
  signal.set_wakeup_fd(-1)
  for number in _state['taken']:
    signal.signal(number, signal.default_int_handler
                  if number == signal.SIGINT else signal.SIG_DFL)
  _unblock()


def _unblock() -> None:
  signal.pthread_sigmask(signal.SIG_UNBLOCK, _NUMBERS)


def _listen(read: int) -> None:
  while True:
    for number in os.read(read, 1):
      _take(number)


def _take(number: int) -> None:
  if number not in _NUMBERS:
    return
  again = _state['number'] is not None
  if not again:
    _state.update(number=number, when=time.monotonic())
    _came.set()
  if not _state['saves']:
    _leave(number, 'nothing to save')
  # Python may report the last of several signals first.
  if again and number == signal.SIGINT and seconds() > TWICE:
    _leave(number, 'ended at once; the last save is intact')
  if not again:
    threading.Thread(target=_end, args=(number,), daemon=True).start()
  if not again and number != signal.SIGTERM:
    # Several processes can agree on a stop only by SIGTERM.
    os.kill(os.getpid(), signal.SIGTERM)


def _end(number: int) -> None:
  time.sleep(_state['limit'])
  _leave(number, f'this step could not be saved within {_state["limit"]:g} s '
         '(--grace), since the step or the storage is slow; the last save is '
         'intact' if _state['saves'] else 'saved, but the end takes too long')


def _leave(number: int, why: str) -> None:
  with contextlib.suppress(OSError):  # The output may be gone.
    print(f'swae_jax: {signal.Signals(number).name}: {why}; run the same '
          'command to go on', file=sys.stderr, flush=True)
  os._exit(128 + number)


@contextlib.contextmanager
def saving() -> Iterator[None]:
  """A context in which signals are noted, since there is something to save."""
  _state['saves'] = True
  try:
    yield
  finally:
    _state['saves'] = False
  number = requested()
  if number:  # The signal came after the loop's last look.
    _leave(number, 'saved')


def requested() -> int | None:
  """The number of the first signal that has come, or None."""
  return _state['number']


def seconds() -> float:
  """The time since the first signal."""
  return time.monotonic() - _state['when']


def limit(seconds: float) -> None:
  """Sets how long after a signal the process may take to end."""
  _state['limit'] = seconds


def sleep(seconds: float) -> None:
  """Sleeps until a signal comes, for so many seconds at the most."""
  _came.wait(seconds)
