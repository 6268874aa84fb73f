"""Pictures in a folder or in a zip file, decoded by all cores."""
from collections.abc import Callable, Sequence
from concurrent import futures
import hashlib
import io
import os
import pathlib
import sys
from typing import Any, NamedTuple
import zipfile
import zlib

import numpy as np
from PIL import Image, ImageOps
from rich import progress

from swae_jax import errors

SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp')
MODES = {1: 'L', 3: 'RGB'}
CHUNK = 64  # Pictures of a task; a task costs more than one small picture.


class Pictures(NamedTuple):
  """The pictures of a folder or a zip file.

  Attributes:
    path: path of the folder or zip file.
    names: sorted names of the pictures, with `/` between folders.
    read: name -> bytes of the file.
    digest: sha256 (hex) of names, sizes, and checksums (zip file) or times
      (folder); the digest does not read the pictures.
  """
  path: pathlib.Path
  names: list[str]
  read: Callable[[str], bytes]
  digest: str


class Resize(NamedTuple):
  """How a picture becomes an array.

  Attributes:
    size: height and width of the array.
    channels: 1 for grey, 3 for colour.
    resample: the filter of Pillow.
    box: width, height -> left, top, right, bottom of the crop.
  """
  size: int
  channels: int
  resample: Image.Resampling
  box: Callable[[int, int], tuple[int, int, int, int]]


def full_box(width: int, height: int) -> tuple[int, int, int, int]:
  """The box of the whole picture: left, top, right, bottom."""
  return 0, 0, width, height


def centre_box(width: int, height: int) -> tuple[int, int, int, int]:
  """The box of the largest square in the middle: left, top, right, bottom."""
  side = min(width, height)
  left, top = (width - side) // 2, (height - side) // 2
  return left, top, left + side, top + side


def find(path: pathlib.Path) -> Pictures:
  """Lists the pictures in the folder or zip file at `path`."""
  return _in_folder(path) if path.is_dir() else _in_zip(path)


def _wanted(name):
  """Whether a file is a picture that the operating system does not hide."""
  hidden = any(part.startswith(('.', '__MACOSX')) for part in name.split('/'))
  return name.lower().endswith(SUFFIXES) and not hidden


def _digest(rows):
  return hashlib.sha256(repr(rows).encode()).hexdigest()


def _in_folder(path):
  found = {}
  for folder, _, names in os.walk(path, followlinks=True):
    for name in names:
      full = os.path.join(folder, name)
      short = os.path.relpath(full, path).replace(os.sep, '/')
      if _wanted(short):
        stat = os.stat(full)
        found[short] = stat.st_size, stat.st_mtime_ns
  names = sorted(found)
  return Pictures(path, names, lambda name: (path / name).read_bytes(),
                  _digest([(name, *found[name]) for name in names]))


def _in_zip(path):
  try:
    archive = zipfile.ZipFile(path)
  except (OSError, zipfile.BadZipFile) as e:
    raise errors.DamagedData(
        f'{path}: no zip file or an incomplete one ({e}), '
        f'{path.stat().st_size} bytes: fetch the file again') from e
  infos = {i.filename: i for i in archive.infolist() if _wanted(i.filename)}
  names = sorted(infos)
  return Pictures(path, names, archive.read, _digest(
      [(name, infos[name].file_size, infos[name].CRC) for name in names]))


def resized(image: Image.Image, how: Resize) -> np.ndarray:
  """The pixels of an open picture, uint8 [size, size, channels]."""
  if image.mode.startswith(('I', 'F')):
    raise ValueError(f'mode {image.mode}: more than 8 bits a channel')
  image = ImageOps.exif_transpose(image).convert(MODES[how.channels])
  # The crop comes first: resize(box=...) uses pixels around the box.
  image = image.crop(how.box(*image.size))
  image = image.resize((how.size, how.size), how.resample)
  return np.asarray(image).reshape(how.size, how.size, how.channels)


def with_image(found: Pictures, name: str,
               do: Callable[[Image.Image], Any]) -> Any:
  """Opens a picture and returns do(image).

  Raises:
    errors.DamagedData: the picture is damaged; the message names the picture.
  """
  try:
    with Image.open(io.BytesIO(found.read(name))) as image:
      return do(image)
  except (OSError, EOFError, SyntaxError, ValueError, zlib.error,
          zipfile.BadZipFile, Image.DecompressionBombError) as e:
    # Pillow's message would name an object in memory.
    fault = ('no picture' if isinstance(e, Image.UnidentifiedImageError)
             else ' '.join(str(e).split()))
    raise errors.DamagedData(
        f'{found.path}: {name} cannot be decoded ({fault}): fetch this picture '
        'again or remove it') from e


def decode(found: Pictures, names: Sequence[str], how: Resize) -> np.ndarray:
  """Decodes the pictures `names`: uint8 [N, size, size, channels]."""
  return decode_all(len(names), how, lambda i: with_image(
      found, names[i], lambda image: resized(image, how)))


def decode_all(count: int, how: Resize,
               get: Callable[[int], np.ndarray]) -> np.ndarray:
  """get(0), ..., get(count - 1) as uint8 [count, size, size, channels].

  Threads call `get`, one for each core.
  """
  out = np.empty((count, how.size, how.size, how.channels), np.uint8)

  def work(start):
    for i in range(start, min(start + CHUNK, count)):
      out[i] = get(i)

  # Threads suffice: Pillow decodes without the lock of the interpreter.
  pool = futures.ThreadPoolExecutor(os.cpu_count())
  try:
    tasks = [pool.submit(work, i) for i in range(0, count, CHUNK)]
    for task in progress.track(
        futures.as_completed(tasks), 'decoding', len(tasks), transient=True,
        disable=not sys.stderr.isatty()):
      task.result()
  finally:
    pool.shutdown(cancel_futures=True)  # One damaged picture ends all tasks.
  return out
