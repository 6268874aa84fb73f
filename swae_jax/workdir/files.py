"""The files of a workdir, each written in one move, apart from checkpoints.

A file is on the disk, with its name, when the function that writes it returns:
a machine that loses its power then loses nothing of it.

  config.json      every option of the run
  run.json         id, versions, devices, data: what a result depends on
  metrics.jsonl    one line for each logged step, once, also after a restart
  valid.jsonl      the same for the validation losses
  config_changes.jsonl  each change that --allow_config_change let through
  results.json     the final metrics; the file says that the run has finished
  images/*.png     pictures
  tensorboard/     event files, if config.train.tensorboard
  lock, lock.json  whether a process is at work, and which
  corrupt-*        damaged files, which a run has moved aside

Each JSON file ends with the digest of its content, under "sha256".
"""
from collections.abc import Mapping
import contextlib
import errno
import io
import itertools
import json
import os
import secrets
from typing import Any

import numpy as np
from PIL import Image

from swae_jax import errors
from swae_jax.workdir import digests, storage


def replace(path: storage.Path, content: bytes) -> None:
  """Replaces a file in one move, so that nobody sees half of it."""
  if storage.in_bucket(path):  # Files in a bucket appear whole.
    path.write_bytes(content)
    return
  make_folder(path.parent)
  # A new name, by 'x': others could plant a link under a name that they know.
  partial = path.with_name(f'{path.name}.{secrets.token_hex(4)}.partial')
  try:
    with open(partial, 'xb') as file:
      file.write(content)
    sync(partial)
    partial.replace(path)
  except BaseException:
    with contextlib.suppress(OSError):  # It takes room on a full disk.
      partial.unlink()
    raise
  sync(path.parent)


def make_folder(folder: storage.Path) -> None:
  """Makes a folder, if it is not there, with those above it."""
  if storage.in_bucket(folder):
    folder.mkdir(parents=True, exist_ok=True)
  elif not folder.is_dir():
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def sync(path: str | os.PathLike[str]) -> None:
  """Returns when a file, or the list of files of a folder, is on the disk."""
  number = os.open(path, os.O_RDONLY)
  try:
    os.fsync(number)
  except OSError as e:
    # Some file systems sync no folders.
    if e.errno not in (errno.EINVAL, errno.ENOTSUP) or not os.path.isdir(path):
      raise
  finally:
    os.close(number)


def sync_all(folder: storage.Path) -> None:
  """Returns when all that is in a folder, and its name, is on the disk."""
  if storage.in_bucket(folder):
    return
  for where, _, names in os.walk(folder, topdown=False):
    for name in (*names, ''):
      sync(os.path.join(where, name))
  sync(folder.parent)


def write_json(path: storage.Path, value: Mapping[str, Any]) -> None:
  """Writes a JSON file for people, with the digest of its content."""
  content = {k: v for k, v in value.items() if k != 'sha256'}
  content['sha256'] = digests.of_json(content)
  replace(path, (json.dumps(content, indent=2) + '\n').encode())


def append(path: storage.Path, value: Any) -> None:
  """Adds a line of JSON to a file; what stands there stays."""
  before = path.read_bytes() if path.is_file() else b''
  if before and not before.endswith(b'\n'):
    before += b'\n'
  replace(path, before + f'{json.dumps(value)}\n'.encode())


def read_json(path: storage.Path, *keys: str) -> Any:
  """The content of a JSON file, or None where there is no file.

  Args:
    path: the file.
    *keys: keys that the content must have.

  Raises:
    errors.DamagedData: the content is not what `write_json` has written.
  """
  if not path.exists():
    return None
  try:
    found = json.loads(path.read_bytes())
    if not isinstance(found, dict):
      raise ValueError('it holds no keys and values')
    digest = found.pop('sha256', None)  # Version 0.1.0 wrote none.
    if digest not in (None, digests.of_json(found)):
      raise ValueError('its digest differs')
    if missing := [key for key in keys if key not in found]:
      raise ValueError(f'it has no {missing[0]!r}')
  except (ValueError, RecursionError, IsADirectoryError) as e:
    raise errors.DamagedData(
        f'{path} is damaged ({e}); {_ADVICE.get(path.name, "delete it")}'
        ) from e
  return found


_AGAIN = 'move it away, and the same training command makes it anew'
_ADVICE = {
    'config.json': 'put a copy back, or write the options of the training '
                   'command there by --allow_config_change',
    **dict.fromkeys(('run.json', 'results.json', 'cell.json'), _AGAIN)}


def aside(path: storage.Path) -> storage.Path:
  """A new name for a damaged file or folder: corrupt-NAME, corrupt-NAME-1."""
  names = (f'corrupt-{path.name}{f"-{i}" * bool(i)}'
           for i in itertools.count())
  return next(new for new in map(path.with_name, names) if not new.exists())


def save_image(path: storage.Path, image: np.ndarray) -> storage.Path:
  """Writes a PNG of uint8 pixels [H, W] or [H, W, 3]; returns its path."""
  content = io.BytesIO()
  Image.fromarray(np.asarray(image)).save(content, 'png')
  replace(path, content.getvalue())
  return path
