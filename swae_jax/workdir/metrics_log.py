"""metrics.jsonl and valid.jsonl: one line for each logged step, once."""
from collections.abc import Callable, Mapping
import contextlib
import errno
import hashlib
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
    faults: what is wrong with the other lines.
  """

  def __init__(self, path: storage.Path, step: float, write: bool = True,
               events: Any = None, expected: Mapping[str, Any] | None = None,
               print_line: Callable[[str], None] = print):
    """Opens a file.

    Args:
      path: the file.
      step: the step that the run goes on from.
      write: whether this process writes.
      events: takes the metrics, too.
      expected: the `digest` of the lines up to `step`, if that is known.
      print_line: takes a line if the file is damaged.  The damaged file is
        kept under another name, and the run goes on with what can be read.
    """
    self.path, self.events, self.write = path, events, write
    content = _bytes(path)
    rows, self.faults = parse(content)
    # The steps after the checkpoint come again.
    self.rows: list[dict[str, Any]] = [r for r in rows if r['step'] <= step]
    self._file, self._unwritten = None, b''
    self._sha256 = hashlib.sha256(self._content())
    if write:
      if lost := self.lost(expected) or self.faults:
        kept = files.aside(path)
        files.replace(kept, content)
        print_line(f'{path} is damaged ({lost[0]}); what was there is now in '
                   f'{kept.name}; going on with {len(self.rows)} lines')
      if content != self._content() or not content:
        files.replace(path, self._content())
      self._size = len(self._content())
      if not storage.in_bucket(path):
        self._file = open(path, 'r+b', buffering=0)  # noqa: SIM115

  def digest(self) -> dict[str, Any]:
    """The number of lines, and the sha256 of all."""
    return {'lines': len(self.rows), 'sha256': self._sha256.hexdigest()}

  def lost(self, expected: Mapping[str, Any] | None) -> list[str]:
    """How the lines differ from those of which the digest was taken."""
    if expected is None:
      return []
    count = expected['lines']  # A validation may have come after the save.
    if len(self.rows) < count:
      return [*self.faults, f'{count} lines were there, {len(self.rows)} are '
              'left']
    first = hashlib.sha256(self._content(count)).hexdigest()
    return [] if first == expected['sha256'] else [
        *self.faults, 'a line has changed']

  def _content(self, count: int | None = None) -> bytes:
    return ''.join(
        f'{json.dumps(row)}\n' for row in self.rows[:count]).encode()

  def add(self, step: int, values: Mapping[str, float]) -> None:
    """Writes the metrics of a step; where there is no room, later."""
    # JSON has no numbers that are not finite.
    self.rows.append({'step': step, **{
        k: v if math.isfinite(v) else None for k, v in values.items()}})
    line = (json.dumps(self.rows[-1]) + '\n').encode()
    self._sha256.update(line)
    self._unwritten += line
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


def _bytes(path: storage.Path) -> bytes:
  try:
    return path.read_bytes() if path.exists() else b''
  except IsADirectoryError as e:
    raise errors.DamagedData(
        f'{path} is a folder, and must be a file; move it away') from e


def parse(content: bytes) -> tuple[list[dict[str, Any]], list[str]]:
  """The rows that can be read, and a fault for each other line.

  A kill can leave half a line at the end; this is no fault.
  """
  rows, faults = [], []
  for number, line in enumerate(content.split(b'\n')[:-1], 1):
    try:
      row = json.loads(line)
      if not isinstance(row, dict) or not all(
          v is None or type(v) in (int, float) for v in row.values()):
        raise ValueError('no names and numbers')
      if type(row.get('step')) is not int:
        raise ValueError('no step')
      if rows and row['step'] <= rows[-1]['step']:
        raise ValueError(f'step {row["step"]} comes after {rows[-1]["step"]}')
      rows.append(row)
    except (ValueError, RecursionError) as e:
      faults.append(f'line {number}: {e}')
  return rows, faults
