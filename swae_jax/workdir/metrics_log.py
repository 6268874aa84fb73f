"""metrics.jsonl and valid.jsonl: one line for each logged step, once."""
import contextlib
import errno
import json
import math
import os

from swae_jax import errors
from swae_jax.host import faults
from swae_jax.workdir import files, storage

FLUSH = 5  # Seconds that a point may wait to be written.


def events(directory, step):
  """A writer of TensorBoard's event files, of a run that goes on from `step`.

  What older files have behind that step comes again: TensorBoard drops it.
  Points reach the disk within seconds: a SIGKILL may leave a gap, in contrast
  to the files of metrics.
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

  `events` takes them too, each under the name of the file.

  Attributes:
    rows: what the file holds, also where `write` is False: of several
      processes one writes, and all know.
  """

  def __init__(self, path, step, write=True, events=None):
    self.path = path = storage.path(path)
    self.name, self.events = path.stem, events
    text = path.read_text() if path.exists() else ''
    # A kill can leave half a line at the end, and after a restart the steps
    # behind the checkpoint come again.
    rows = map(json.loads, text[:text.rfind('\n') + 1].splitlines())
    self.rows = [row for row in rows if row['step'] <= step]
    self.write, self.file, self._late = write, None, b''
    if write:
      content = self._content()
      if content != text.encode() or not text:
        files.replace(path, content)
      self._size = len(content)
      if not storage.in_bucket(path):
        self.file = open(path, 'r+b', buffering=0)  # noqa: SIM115

  def _content(self):
    return ''.join(f'{json.dumps(row)}\n' for row in self.rows).encode()

  def add(self, step, values):
    """Writes the metrics of a step; where there is no room, later."""
    # JSON has no word for what is not finite.
    self.rows.append({'step': step, **{
        k: v if math.isfinite(v) else None for k, v in values.items()}})
    self._late += (json.dumps(self.rows[-1]) + '\n').encode()
    if self.file:  # In a bucket all is written at each flush.
      with contextlib.suppress(OSError):
        self.flush()
    if self.events:
      for name, value in values.items():
        self.events.add_scalar(f'{self.name}/{name}', value, step)

  def flush(self):
    """All lines are on disk when this returns; raises OSError."""
    if not self.write or not self._late:
      return
    faults.point('metrics')
    if self.file is None:
      files.replace(self.path, self._content())
      self._late = b''
      return
    self.file.seek(self._size)  # Half a line may be there from the last try.
    written = self.file.write(self._late)
    if written < len(self._late):
      raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    self._size, self._late = self._size + written, b''

  def __enter__(self):
    return self

  def __exit__(self, *exception):
    if self.file:
      self.file.close()
