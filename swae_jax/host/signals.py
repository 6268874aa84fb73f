"""SIGTERM and SIGINT: a request that the training loop asks for.

While there is something to save, a signal is only noted, and the loop saves
and leaves at the end of its step.  Before and after, while modules are
loaded, the step is compiled or the run evaluated, the process leaves at once:
all that is worth keeping is on disk.  Python runs its handlers between two
byte codes, which in a compilation can take minutes, so a thread waits for the
signals.
"""
import contextlib
import os
import signal
import sys
import threading
import time

_NUMBERS = (signal.SIGTERM, signal.SIGINT)
_state = {'number': None, 'when': 0., 'saves': False}


def install():
  """Takes the signals over, in the main thread, as early as possible."""
  read, write = os.pipe()
  os.set_blocking(write, False)
  for number in _NUMBERS:
    signal.signal(number, lambda *_: None)  # Else nothing wakes the thread.
  signal.set_wakeup_fd(write)
  # A worker that ends by a signal must not seem to be this process, nor before
  # it has given the signals back.
  os.register_at_fork(
      before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS),
      after_in_parent=_unblock, after_in_child=_give_back)
  threading.Thread(target=_listen, args=(read,), daemon=True).start()


def _give_back():
  signal.set_wakeup_fd(-1)
  signal.signal(signal.SIGTERM, signal.SIG_DFL)
  signal.signal(signal.SIGINT, signal.default_int_handler)
  _unblock()


def _unblock():
  signal.pthread_sigmask(signal.SIG_UNBLOCK, _NUMBERS)


def _listen(read):
  while True:
    for number in os.read(read, 1):
      _take(number)


def _take(number):
  again = _state['number'] is not None
  if not again:
    _state.update(number=number, when=time.monotonic())
  if not _state['saves']:
    _leave(number, 'nothing to save')
  if again and number == signal.SIGINT:
    _leave(number, 'left at once; the last save is intact')
  if not again and number == signal.SIGINT:
    os.kill(os.getpid(), signal.SIGTERM)  # Processes agree on that one alone.


def _leave(number, why):
  print(f'swae_jax: {signal.Signals(number).name}: {why}; run the same command '
        'to go on', file=sys.stderr, flush=True)
  os._exit(128 + number)


@contextlib.contextmanager
def saving():
  """Within it there is something to save: signals are noted."""
  _state['saves'] = True
  try:
    yield
  finally:
    _state['saves'] = False
  if asked():  # It came after the loop had asked for the last time.
    _leave(asked(), 'saved')


def asked():
  """The number of the signal that has come, or None."""
  return _state['number']


def seconds():
  """How long ago it came."""
  return time.monotonic() - _state['when']
