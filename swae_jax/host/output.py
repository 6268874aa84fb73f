"""Output that may fail: the reader has ended, or the disk is full.

A log is worth less than the run that it tells of, so a failure to print stops
nothing.  The exit code tells of it.
"""
from collections.abc import Iterator
import contextlib
import os
import sys
from typing import Any, TextIO

CLOSED, FAILED = 141, 74  # Codes: the reader has ended; anything else.


class Guarded:
  """A stream whose failures to write do not stop the program.

  Attributes:
    error: the first failure, or None.
  """

  def __init__(self, stream: Any, name: str = ''):
    """If a stream has a name, a line on stderr tells of its first failure."""
    self._stream, self._name = stream, name
    self.error: OSError | None = None

  def __getattr__(self, name: str) -> Any:
    return getattr(self._stream, name)

  def write(self, text: str) -> int:
    """Writes a text, or does nothing."""
    with self._failing():
      self._stream.write(text)
    return len(text)

  def flush(self) -> None:
    """Writes what has been kept for later, or does nothing."""
    with self._failing():
      self._stream.flush()

  @contextlib.contextmanager
  def _failing(self) -> Iterator[None]:
    try:
      yield
    except OSError as e:
      if self.error is None:
        self.error = e
        # A reader such as head has ended because it has read enough.
        if self._name and not isinstance(e, BrokenPipeError):
          print(f'swae_jax: {self._name} cannot be written ({e.strerror}); the '
                'command goes on', file=sys.stderr, flush=True)


@contextlib.contextmanager
def guarded() -> Iterator[None]:
  """A context in which nothing that is printed stops the program.

  The process ends with code 74, or 141 where the reader of the output has
  ended, if the block has ended well but its output is not complete.
  """
  for number in range(3):  # A file must not get the number of a closed stream.
    try:
      os.fstat(number)
    except OSError:
      os.open(os.devnull, os.O_RDWR)
  out, err = Guarded(sys.stdout, 'the output'), Guarded(sys.stderr)
  if sys.stdout is not None:
    sys.stdout = _text(out)
  if sys.stderr is not None:
    sys.stderr = _text(err)
  try:
    yield
  except SystemExit as e:
    if e.code:
      raise
  finally:
    if sys.stdout is not None:
      sys.stdout.flush()
  if out.error is not None:
    # Python would try once more to write the rest.
    os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    sys.exit(CLOSED if isinstance(out.error, BrokenPipeError) else FAILED)


def _text(stream: Guarded) -> TextIO:
  return stream  # type: ignore[return-value]  # It has all their methods.
