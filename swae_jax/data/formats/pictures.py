"""Pictures in a folder or in a zip file, decoded by all cores.

Nothing is left out in silence: `summary` says how many pictures were read, how
many were converted and how, and which files were left out and why.
"""
import collections
from collections.abc import Callable, Sequence
from concurrent import futures
import contextlib
import hashlib
import io
import json
import os
import pathlib
import stat
import sys
from typing import Any, NamedTuple
import warnings

import numpy as np
from PIL import Image, ImageOps, features
from rich import progress

from swae_jax import errors
from swae_jax.data.formats import archives, cache

# The forms that Pillow may decode, whatever the name of a file says; for some
# other forms it would start another program.
FORMS = ('JPEG', 'PNG', 'BMP', 'GIF', 'TIFF', 'PPM', 'WEBP',
         *(('AVIF',) if features.check('avif') else ()))
SUFFIXES = ('.jpg', '.jpeg', '.jfif', '.png', '.bmp', '.gif', '.tif', '.tiff',
            '.pgm', '.ppm', '.webp',
            *(('.avif',) if 'AVIF' in FORMS else ()))
MODES = {1: 'L', 3: 'RGB'}
CHUNK = 64  # Pictures of a task; a task costs more than one small picture.
MOST_BYTES = 1 << 28  # The largest file of one picture.
# Folders and files that systems make beside pictures.
SYSTEM = ('.', '__MACOSX', '@eaDir')
HIDDEN = 'hidden, or made by a system'
WIDE = {'B': 'L', 'L': 'B', 'N': 'B' if sys.byteorder == 'little' else 'L'}


class Pictures(NamedTuple):
  """The pictures of a folder or a zip file.

  Attributes:
    path: path of the folder or zip file.
    names: sorted names of the pictures, with `/` between folders.
    read: name -> bytes of the file.
    digest: sha256 (hex) of names, sizes, and checksums (zip file) or times
      (folder); the digest does not read the pictures.
    left_out: {reason: names of the files that are left out}.
    converted: {name: what was changed}, of the pictures decoded so far.
  """
  path: pathlib.Path
  names: list[str]
  read: Callable[[str], bytes]
  digest: str
  left_out: dict[str, list[str]]
  converted: dict[str, list[str]]


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


def one(path: pathlib.Path) -> Pictures:
  """A file of one picture."""
  return Pictures(path.parent, [path.name], lambda name: _content(path), '',
                  {}, {})


def _why_not(name):
  """Why a file is left out by its name; '' if it is a picture to read."""
  if any(part.startswith(SYSTEM) for part in name.split('/')):
    return HIDDEN
  suffix = os.path.splitext(name)[1].lower()
  return '' if suffix in SUFFIXES else f'{suffix or "no suffix"}, not read'


def _sort(files, found, left_out):
  """Puts (name, facts on the file) into `found`, or by reason into the other.
  """
  for name, facts in files:
    if why := _why_not(name):
      left_out.setdefault(why, []).append(name)
    else:
      found[name] = facts


def _digest(rows):
  return hashlib.sha256(repr(rows).encode()).hexdigest()


def _in_folder(path):
  found, left_out = {}, {}
  _sort(_walk(path, left_out), found, left_out)
  names = sorted(found)
  for name in names:
    if found[name][0] > MOST_BYTES:
      raise errors.DamagedData(
          f'{path}: {name} has {found[name][0]:,} bytes, too many for a '
          f'picture (at most {MOST_BYTES:,}): remove it')
  return Pictures(path, names, lambda name: _content(path / name),
                  _digest([(name, *found[name]) for name in names]),
                  left_out, {})


def _walk(path, left_out):
  """Yields (name, (size, time)) of each file; notes what is no file.

  Links to folders come last and each folder once, so a circle of links ends.
  """
  seen, folders, links = set(), [''], []
  while folders or links:
    folder = folders.pop() if folders else links.pop(0)
    at = os.stat(path / folder)
    if (at.st_dev, at.st_ino) in seen:
      left_out.setdefault('a link to a folder that is read anyway', []).append(
          folder)
      continue
    seen.add((at.st_dev, at.st_ino))
    try:
      entries = sorted(os.scandir(path / folder), key=lambda e: e.name)
    except OSError as e:
      raise errors.UserError(f'{path / folder}: the folder cannot be read: '
                             f'{e.strerror}') from e
    for entry in entries:
      name = f'{folder}/{entry.name}' if folder else entry.name
      if _why_not(name) == HIDDEN:
        left_out.setdefault(HIDDEN, []).append(name)
        continue
      try:
        status = entry.stat()
      except OSError:
        left_out.setdefault('a link to nothing', []).append(name)
        continue
      if stat.S_ISDIR(status.st_mode):
        (links if entry.is_symlink() else folders).append(name)
      elif stat.S_ISREG(status.st_mode):
        yield name, (status.st_size, status.st_mtime_ns)
      else:
        left_out.setdefault('neither file nor folder', []).append(name)


def _content(path):
  """The content of a file, which may have grown since it was listed."""
  with open(path, 'rb') as file:
    return archives.Limited(file, MOST_BYTES).read()


def _in_zip(path):
  archive, members = archives.open_zip(path, MOST_BYTES)
  found, left_out = {}, {}
  _sort(members.items(), found, left_out)
  names = sorted(found)
  return Pictures(
      path, names, lambda name: archive.read(found[name]), _digest(
          [(name, found[name].file_size, found[name].CRC) for name in names]),
      left_out, {})


def _eight_bits(image, content, changes):
  """The image with 8 bits a channel: Pillow cuts 16-bit colours in silence."""
  if image.mode.startswith('I;16') or (
      image.mode == 'I' and image.format in ('PNG', 'PPM')):
    values = np.asarray(image).astype(np.uint16)
    high, low = ((values >> n).astype(np.uint8) for n in (8, 0))
  elif image.mode.startswith(('I', 'F')):
    raise ValueError(f'mode {image.mode}: more than 16 bits a channel')
  elif (low := _low_bytes(image, content)) is not None:
    high = np.asarray(image)
  else:
    return image
  changes.append('16 bits a channel, scaled to 8')
  # (256 high + low) / 257 is high + (low - high) / 257, which is rounded here.
  rounded = (high + ((low > high) & (low - high > 128))
             - ((high > low) & (high - low > 128)))
  made = Image.fromarray(rounded)
  made.info = {k: v for k, v in image.info.items() if k == 'exif'}
  return made


def _low_bytes(image, content):
  """The low bytes of 16-bit colours, like the image; None for other images.

  Pillow's readers take the high bytes; those for the other order of bytes take
  the low ones.
  """
  # A tile has the name of its reader alone, or at the head of more arguments.
  args: Any = image.tile[0][3] if image.tile else ''
  name = args[0] if isinstance(args, tuple) else args
  if image.mode not in ('RGB', 'RGBA') or (
      name not in [f'{image.mode};16{order}' for order in WIDE]):
    return None
  other = name[:-1] + WIDE[name[-1]]
  with _opened(content) as low:
    tiles: list[Any] = low.tile
    low.tile = [type(tile)(*tile[:3], (other, *tile[3][1:]) if isinstance(
        tile[3], tuple) else other) for tile in tiles]
    return np.asarray(low)


@contextlib.contextmanager
def _strict():
  """Refuses pictures that take very much memory; Pillow only warns of them.

  Not for threads: they share the filters of warnings.
  """
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # Pillow warns of odd metadata.
    warnings.simplefilter('error', Image.DecompressionBombWarning)
    yield


def size(found: Pictures, name: str) -> tuple[int, int]:
  """Width and height of a picture."""
  with _strict():
    return with_image(found, name, 3, lambda image: image.size)


def _opened(content):
  return Image.open(io.BytesIO(content), formats=FORMS)


def _plain(content, channels):
  """The first frame of a picture in MODES[channels], and what was changed."""
  changes = []
  with _opened(content) as image:
    if getattr(image, 'is_animated', False):
      changes.append('several frames, the first taken')
    made = _eight_bits(image, content, changes)
    grey = made.mode in ('1', 'L', 'LA')
    if 'A' in image.mode[1:] or 'transparency' in image.info:
      changes.append('transparency dropped')
    if grey != (channels == 1):
      changes.append('grey made colour' if grey else 'colour made grey')
    return ImageOps.exif_transpose(made).convert(MODES[channels]), changes


def resized(image: Image.Image, how: Resize) -> np.ndarray:
  """The pixels of an open picture, uint8 [size, size, channels]."""
  image = image.convert(MODES[how.channels])
  # The crop comes first: resize(box=...) uses pixels around the box.
  image = image.crop(how.box(*image.size))
  image = image.resize((how.size, how.size), how.resample)
  return np.asarray(image).reshape(how.size, how.size, how.channels)


def with_image(found: Pictures, name: str, channels: int,
               do: Callable[[Image.Image], Any]) -> Any:
  """Opens a picture, grey (1) or in colour (3), and returns do(image).

  Raises:
    errors.DamagedData: the picture is damaged; the message names the picture.
  """
  try:
    image, changes = _plain(found.read(name), channels)
  except MemoryError:
    raise
  except Exception as e:  # Pillow raises almost anything for damaged files.
    # Pillow's message would name an object in memory.
    fault = ('no picture' if isinstance(e, Image.UnidentifiedImageError)
             else ' '.join(str(e).split()) or type(e).__name__)
    raise errors.DamagedData(
        f'{found.path}: {name} cannot be decoded ({fault}): fetch this picture '
        'again or remove it') from e
  if changes:
    found.converted[name] = changes
  return do(image)


def summary(found: Pictures, count: int) -> list[str]:
  """Lines on the pictures: how many were read, converted and left out.

  Args:
    found: the pictures, after they were decoded.
    count: the number of pictures that were read.
  """
  changed = collections.defaultdict(list)
  for name in sorted(found.converted):
    for change in found.converted[name]:
      changed[change].append(name)
  lines = [f'{count:,} pictures read']
  for what, groups in (('converted', changed), ('left out', found.left_out)):
    if groups:
      lines.append(f'{what}: ' + '; '.join(
          f'{len(names):,} ({why}): {min(names)}{", ..." * (len(names) > 1)}'
          for why, names in sorted(groups.items())))
  return lines


def decode(found: Pictures, names: Sequence[str], how: Resize) -> np.ndarray:
  """Decodes the pictures `names`: uint8 [N, size, size, channels]."""
  return decode_all(len(names), how, lambda i: with_image(
      found, names[i], how.channels, lambda image: resized(image, how)))


def kept(cache_dir: str, name: str, source: Any, found: Pictures,
         names: Sequence[str], how: Resize) -> np.ndarray:
  """`decode`, through the cache; cache.kept says more.

  `found.converted` becomes that of the pictures that are kept.
  """
  def make():
    images = decode(found, names, how)
    return {'images': images, 'converted': np.array(json.dumps(
        found.converted))}

  held = cache.kept(cache_dir, name, {**source, 'pictures': found.digest}, make)
  found.converted.update(json.loads(str(held['converted'])))
  return held['images']


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
    with _strict():
      tasks = [pool.submit(work, i) for i in range(0, count, CHUNK)]
      for task in progress.track(
          futures.as_completed(tasks), 'decoding', len(tasks), transient=True,
          disable=not sys.stderr.isatty()):
        task.result()
  finally:
    pool.shutdown(cancel_futures=True)  # One damaged picture ends all tasks.
  return out
