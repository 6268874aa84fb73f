"""The files of a workdir, each written in one move, apart from checkpoints.

  config.json      every option of the run
  run.json         versions, devices, data: what a result depends on
  metrics.jsonl    one line for each logged step, once, also after a restart
  valid.jsonl      the same for the validation losses
  config_changes.jsonl  each change that --allow_config_change let through
  results.json     the final metrics; the file says that the run has finished
  images/*.png     pictures
  tensorboard/     event files, if config.train.tensorboard
  lock, lock.json  whether a process is at work, and which
"""
import io
import json
import os
from typing import Any

import numpy as np
from PIL import Image

from swae_jax.workdir import storage


def replace(path: storage.Path, content: bytes) -> None:
  """Replaces a file in one move, so that nobody sees half of it."""
  if storage.in_bucket(path):  # Files in a bucket appear whole.
    path.write_bytes(content)
    return
  path.parent.mkdir(parents=True, exist_ok=True)
  partial = path.with_name(f'{path.name}.{os.getpid()}.partial')
  partial.write_bytes(content)
  partial.replace(path)


def write_json(path: storage.Path, value: Any) -> None:
  """Writes a JSON file for people: indented, with a newline at the end."""
  replace(path, (json.dumps(value, indent=2) + '\n').encode())


def append(path: storage.Path, value: Any) -> None:
  """Adds a line of JSON to a file."""
  text = path.read_text() if path.exists() else ''
  replace(path, f'{text}{json.dumps(value)}\n'.encode())


def read_json(path: storage.Path) -> Any:
  """The value in a JSON file, or None where there is no file."""
  return json.loads(path.read_text()) if path.exists() else None


def save_image(path: storage.Path, image: np.ndarray) -> storage.Path:
  """Writes a PNG of uint8 pixels [H, W] or [H, W, 3]; returns its path."""
  content = io.BytesIO()
  Image.fromarray(np.asarray(image)).save(content, 'png')
  replace(path, content.getvalue())
  return path
