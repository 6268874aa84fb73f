"""metrics.jsonl and valid.jsonl: one line for each logged step, once."""
from collections.abc import Mapping
import contextlib
import errno
import json
import math
import os
from typing import Any

from swae_jax import errors
from swae_jax.workdir import files, storage

FLUSH = 5  # Seconds after which TensorBoard's files hold a point.


def events(directory: storage.Path, step: int) -> Any:
  """A writer of TensorBoard's files for a run that goes on from `step`.

  Older files may hold later steps; the writer's purge_step hides them.  Points
  reach the disk within seconds, so a SIGKILL may leave a gap, which the files
  of metrics never have.
  """
  try:
    import tensorboardX  # Optional.
  except ImportError as e:
    raise errors.UserError(
        'config.train.tensorboard needs tensorboardX: pip install tensorboardX,'
        ' or leave the option out') from e
  return tensorboardX.SummaryWriter(
      str(directory), flush_secs=FLUSH, purge_step=step + 1 if step else None)


class Metrics:
  """A file of metrics, of a run that goes on from `step`.

  Only one of several processes writes, the one with `write`; all of them keep
  the rows.  `events` takes the metrics, too, under the name of the file.

  Attributes:
    rows: the lines of the file, {'step': ..., name: value}.
  """

  def __init__(self, path: storage.Path, step: float, write: bool = True,
               events: Any = None):
    self.path, self.events, self.write = path, events, write
    text = path.read_text() if path.exists() else ''
    # A kill can leave half a line at the end.  The steps after the checkpoint
    # come again.
    rows = map(json.loads, text[:text.rfind('\n') + 1].splitlines())
    self.rows: list[dict[str, Any]] = [r for r in rows if r['step'] <= step]
    self._file, self._unwritten = None, b''
    if write:
      content = self._content()
      if content != text.encode() or not text:
        files.replace(path, content)
      self._size = len(content)
      if not storage.in_bucket(path):
        self._file = open(path, 'r+b', buffering=0)  # noqa: SIM115

  def _content(self) -> bytes:
    return ''.join(f'{json.dumps(row)}\n' for row in self.rows).encode()

  def add(self, step: int, values: Mapping[str, float]) -> None:
    """Writes the metrics of a step; where there is no room, later."""
    # JSON has no numbers that are not finite.
    self.rows.append({'step': step, **{
        k: v if math.isfinite(v) else None for k, v in values.items()}})
    self._unwritten += (json.dumps(self.rows[-1]) + '\n').encode()
    if self._file:  # In a bucket each flush writes the whole file.
      with contextlib.suppress(OSError):
        self.flush()
    if self.events:
      for name, value in values.items():
        self.events.add_scalar(f'{self.path.stem}/{name}', value, step)

  def flush(self) -> None:
    """All lines are on disk when this returns; raises OSError."""
    if not self.write or not self._unwritten:
      return
    if self._file is None:
      files.replace(self.path, self._content())
      self._unwritten = b''
      return
    self._file.seek(self._size)  # The last try may have left half a line.
    written = self._file.write(self._unwritten)
    if written < len(self._unwritten):
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    self._size, self._unwritten = self._size + written, b''

  def __enter__(self) -> 'Metrics':
    return self

  def __exit__(self, *exception: Any) -> None:
    if self._file:
      self._file.close()
