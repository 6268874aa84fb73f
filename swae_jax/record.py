"""What a run leaves in its workdir, apart from checkpoints.

  config.json      every option of the run
  run.json         versions, devices, data: what a result depends on
  metrics.jsonl    one line for each logged step, once, also after a restart
  valid.jsonl      the same for the validation losses
  results.json     the final metrics; it is there when the run has finished
  images/*.png     pictures
"""
import json
import os
import pathlib

import numpy as np
from PIL import Image


def _replace(path, content):
  """Replaces a file in one move, so that it is never half written."""
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
  partial.write_bytes(content)
  partial.replace(path)


def write_json(path, value):
  """A JSON file for people: indented, one newline at the end."""
  _replace(path, (json.dumps(value, indent=2) + '\n').encode())


def read_json(path):
  """The value in a JSON file, or None where there is no file."""
  path = pathlib.Path(path)
  return json.loads(path.read_text()) if path.exists() else None


def save_image(path, image):
  """A PNG.  [H, W] or [H, W, 3] uint8."""
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.asarray(image)).save(path)
  return path


def _flat(value, name=''):
  if not isinstance(value, dict):
    return {name: value}
  return {k: v for key, inner in value.items()
          for k, v in _flat(inner, f'{name}.{key}'.lstrip('.')).items()}


def changes(old, new):
  """{name: (old, new)} of the options that differ, as JSON knows them."""
  old, new = _flat(old), _flat(json.loads(json.dumps(new)))
  return {k: (old.get(k), new.get(k)) for k in sorted(old.keys() | new.keys())
          if old.get(k) != new.get(k)}


class Metrics:
  """A file of metrics, of a run that goes on from `step`.

  Attributes:
    rows: what the file holds, also where `write` is False: of several
      processes one writes, and all know.
  """

  def __init__(self, path, step, write=True):
    path = pathlib.Path(path)
    text = path.read_text() if path.exists() else ''
    # A kill can leave half a line at the end, and after a restart the steps
    # behind the checkpoint come again.
    rows = map(json.loads, text[:text.rfind('\n') + 1].splitlines())
    self.rows = [row for row in rows if row['step'] <= step]
    self.file = None
    if write:
      lines = ''.join(f'{json.dumps(row)}\n' for row in self.rows)
      _replace(path, lines.encode())
      self.file = path.open('a')

  def add(self, step, values):
    """Writes the metrics of a step."""
    self.rows.append({'step': step, **values})
    if self.file:
      self.file.write(json.dumps(self.rows[-1]) + '\n')
      self.file.flush()

  def __enter__(self):
    return self

  def __exit__(self, *exception):
    if self.file:
      self.file.close()
