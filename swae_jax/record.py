"""What a run leaves in its workdir, apart from checkpoints.

  config.json      every option of the run
  run.json         versions, devices, data: what a result depends on
  metrics.jsonl    one line for each logged step, once, also after a restart
  valid.jsonl      the same for the validation losses
  config_changes.jsonl  what --allow_config_change has let through, and when
  results.json     the final metrics; it is there when the run has finished
  images/*.png     pictures
  tensorboard/     event files, if config.train.tensorboard
"""
import contextlib
import errno
import io
import json
import math
import os

import numpy as np
from PIL import Image

from swae_jax import errors, faults, storage

FLUSH = 5  # Seconds that a point may wait to be written.


def replace(path, content):
  """Replaces a file in one move, so that it is never half written."""
  path = storage.path(path)
  if storage.in_bucket(path):  # It comes whole anyhow.
    path.write_bytes(content)
    return
  path.parent.mkdir(parents=True, exist_ok=True)
  partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
  partial.write_bytes(content)
  partial.replace(path)


def write_json(path, value):
  """A JSON file for people: indented, one newline at the end."""
  replace(path, (json.dumps(value, indent=2) + '\n').encode())


def append(path, value):
  """Adds a line of JSON to a file."""
  path = storage.path(path)
  text = path.read_text() if path.exists() else ''
  replace(path, f'{text}{json.dumps(value)}\n'.encode())


def read_json(path):
  """The value in a JSON file, or None where there is no file."""
  path = storage.path(path)
  return json.loads(path.read_text()) if path.exists() else None


def save_image(path, image):
  """A PNG.  [H, W] or [H, W, 3] uint8."""
  content = io.BytesIO()
  Image.fromarray(np.asarray(image)).save(content, 'png')
  replace(path, content.getvalue())
  return path


def flat(value, name=''):
  """{a.b: value} of nested dicts."""
  if not isinstance(value, dict):
    return {name: value}
  return {k: v for key, inner in value.items()
          for k, v in flat(inner, f'{name}.{key}'.lstrip('.')).items()}


def changes(old, new):
  """{name: (old, new)} of the options that differ, as JSON knows them."""
  old, new = flat(old), flat(json.loads(json.dumps(new)))
  return {k: (old.get(k), new.get(k)) for k in sorted(old.keys() | new.keys())
          if old.get(k) != new.get(k)}


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
        replace(path, content)
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
      replace(self.path, self._content())
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
