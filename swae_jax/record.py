"""What a run leaves in its workdir, apart from checkpoints.

  config.json      every option of the run
  run.json         versions, devices, data: what a result depends on
  metrics.jsonl    one line for each logged step, once, also after a restart
  results.json     the final metrics; it is there when the run has finished
  images/*.png     pictures
"""
import json
import os
import pathlib

import numpy as np
from PIL import Image


def write(path, content):
  """Replaces a file in one move, so that it is never half written."""
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
  partial.write_bytes(content)
  partial.replace(path)


def write_json(path, value):
  """A JSON file for people: indented, one newline at the end."""
  write(path, (json.dumps(value, indent=2) + '\n').encode())


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
  """metrics.jsonl of a run that goes on from `step`; no path, no file."""

  def __init__(self, path, step):
    self.path = pathlib.Path(path or os.devnull)
    self.file = None
    if not path:
      return
    # After a restart the steps behind the checkpoint come again.
    kept = [line for line in self.lines() if json.loads(line)['step'] <= step]
    write(self.path, ''.join(f'{line}\n' for line in kept).encode())
    self.file = self.path.open('a')

  def lines(self):
    """The whole lines; a kill can leave half a line at the end."""
    text = self.path.read_text() if self.path.exists() else ''
    return text[:text.rfind('\n') + 1].splitlines()

  def add(self, step, values):
    """Writes the metrics of a step."""
    if self.file:
      self.file.write(json.dumps({'step': step, **values}) + '\n')
      self.file.flush()

  def __enter__(self):
    return self

  def __exit__(self, *exception):
    if self.file:
      self.file.close()
