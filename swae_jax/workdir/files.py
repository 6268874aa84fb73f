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
import io
import json
import os

import numpy as np
from PIL import Image

from swae_jax.workdir import storage


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
