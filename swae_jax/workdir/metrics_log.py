"""metrics.jsonl and valid.jsonl: one line for each logged step, once."""
from collections.abc import Callable, Mapping
from concurrent import futures
import contextlib
import errno
import hashlib
import json
import math
import os
import socket
import sys
import time
from typing import Any

from swae_jax import errors
from swae_jax.workdir import files, storage

FLUSH = 5  # Seconds between two writes to TensorBoard's file.


class Events:
  """TensorBoard's file of a run that goes on from `step`.

  Older files may hold later steps; a mark in the new one hides them.  A write
  that fails ends the file and not the run.  After such a failure the writer of
  tensorboardX would wait for ever.
  """

  def __init__(self, directory: storage.Path, step: int):
    try:
      # Optional.
      from tensorboardX import record_writer, summary
      from tensorboardX.proto import event_pb2
    except ImportError as e:
      raise errors.UserError(
          'config.train.tensorboard needs tensorboardX: pip install '
          'tensorboardX, or leave the option out') from e
    self._event, self._scalar = event_pb2.Event, summary.scalar
    self._open = record_writer.RecordWriter
    self._directory, self._file = directory, None
    self._failed, self._flushed = False, 0.
    self._thread = futures.ThreadPoolExecutor(1)
    start = [self._event(wall_time=time.time(), file_version='brain.Event:2')]
    if step:
      start.append(self._event(
          wall_time=time.time(), step=step + 1, session_log={'status': 1}))
    self._thread.submit(self._write, start)

  def add(self, name: str, step: int, values: Mapping[str, float]) -> None:
    """Writes points NAME/KEY, in another thread."""
    self._thread.submit(self._write, [
        self._event(wall_time=time.time(), step=step,
                    summary=self._scalar(f'{name}/{key}', value))
        for key, value in values.items()])

  def _write(self, events: list[Any], last: bool = False) -> None:
    if self._failed:
      return
    try:
      if self._file is None:
        self._file = self._open(_new_name(self._directory))
      for event in events:
        self._file.write(event.SerializeToString())
      now = time.monotonic()
      if last or now - self._flushed >= FLUSH:
        self._flushed = now
        self._file.flush()
      if last:
        self._file.close()
    except Exception as e:  # Each client of a bucket has types of its own.
      self._failed = True
      with contextlib.suppress(Exception):
        self._file.close()
      print(f'swae_jax: {self._directory} gets no more points '
            f'({" ".join(str(e).split())[:150]}); the run goes on',
            file=sys.stderr, flush=True)

  def __enter__(self) -> 'Events':
    return self

  def __exit__(self, *exception: Any) -> None:
    self._thread.submit(self._write, [], True)
    self._thread.shutdown()


def _new_name(directory: storage.Path) -> str:
  """A name behind all others, in whose order TensorBoard reads."""
  files.make_folder(directory)
  names = (path.name.split('.') for path in directory.iterdir())
  # The clock may have been set back.
  second = max([int(time.time()), *(
      int(n[3]) + 1 for n in names if n[3:] and n[3].isdecimal())])
  return str(directory / (
      f'events.out.tfevents.{second:010}.{socket.gethostname()}'))


class Metrics:
  """A file of metrics, of a run that goes on from `step`.

  Only one of several processes writes, the one with `write`; all of them keep
  the rows.  `events` takes the metrics, too, under the name of the file.

  Attributes:
    rows: the lines of the file, {'step': ..., name: value}.
    faults: what is wrong with the other lines.
  """

  def __init__(self, path: storage.Path, step: float, write: bool = True,
               events: Events | None = None,
               expected: Mapping[str, Any] | None = None,
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
      self.events.add(self.path.stem, step, values)

  def sync(self) -> None:
    """All lines are on the disk when this returns; raises OSError."""
    self.flush()
    if self._file:
      os.fsync(self._file.fileno())

  def flush(self) -> None:
    """All lines are in the file when this returns; raises OSError."""
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
