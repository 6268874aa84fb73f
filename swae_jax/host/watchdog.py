"""Ends a run that makes no progress, and says where it hangs."""
import faulthandler
import os
import sys
import tempfile
import threading
import time


class Watchdog:
  """Within it `beat` must be called every so many seconds; 0: never."""

  def __init__(self, seconds, folder):
    self.seconds, self.folder = seconds, folder
    self._done = threading.Event()
    self.beat()

  def beat(self):
    """There is progress."""
    self._last = time.monotonic()

  def _watch(self):
    while not self._done.wait(self.seconds / 8):
      if time.monotonic() - self._last > self.seconds:
        self._end()

  def _end(self):
    path = self.folder / time.strftime('hang-%Y%m%d-%H%M%S.txt')
    try:
      with tempfile.TemporaryFile('w+') as file:  # It wants a real one.
        faulthandler.dump_traceback(file)
        file.seek(0)
        path.write_text(file.read())
    except OSError:  # The disk may be what hangs, or full.
      path = 'the lines above'
      faulthandler.dump_traceback(sys.stderr)
    print(f'swae_jax: no step for {self.seconds:g} s; what each thread does is '
          f'in {path}; run the same command to go on', file=sys.stderr,
          flush=True)
    os._exit(124)

  def __enter__(self):
    self.beat()
    if self.seconds:
      threading.Thread(target=self._watch, daemon=True).start()
    return self

  def __exit__(self, *exception):
    self._done.set()
