"""Ends a run that makes no steps, and writes where each thread hangs."""
import faulthandler
import os
import sys
import tempfile
import threading
import time
from typing import Any


class Watchdog:
  """A context in which `step_done` must be called every `seconds` seconds.

  If the calls stop, the watchdog writes the stack of every thread to a file in
  `folder`, and the process ends with code 124.
  """

  def __init__(self, seconds: float, folder: Any):
    """Args: seconds, 0 for no limit; folder, a pathlib.Path or epath.Path."""
    self.seconds, self.folder = seconds, folder
    self._done = threading.Event()
    self.step_done()

  def step_done(self) -> None:
    """Notes that the run goes forward."""
    self._last = time.monotonic()

  def _watch(self) -> None:
    pause = self.seconds / 8
    before = time.monotonic()
    while not self._done.wait(pause):
      now = time.monotonic()
      # The time in which the whole process was suspended, by SIGSTOP or by a
      # sleeping laptop, does not count.
      self._last += max(0., now - before - 2 * pause)
      before = now
      if now - self._last > self.seconds:
        self._end()

  def _end(self) -> None:
    where: Any = self.folder / time.strftime('hang-%Y%m%d-%H%M%S.txt')
    try:
      with tempfile.TemporaryFile('w+') as file:  # Has a descriptor.
        faulthandler.dump_traceback(file)
        file.seek(0)
        where.write_text(file.read())
    except OSError:  # The disk may be full, or may have caused the hang.
      where = 'the lines above'
      faulthandler.dump_traceback(sys.stderr)
    print(f'swae_jax: no step for {self.seconds:g} s; the stack of each thread '
          f'is in {where}; run the same command to go on', file=sys.stderr,
          flush=True)
    os._exit(124)

  def __enter__(self) -> 'Watchdog':
    self.step_done()
    if self.seconds:
      threading.Thread(target=self._watch, daemon=True).start()
    return self

  def __exit__(self, *exception: Any) -> None:
    self._done.set()
