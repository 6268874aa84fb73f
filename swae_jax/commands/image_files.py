"""Reads and writes files of pictures and of codes, each with a name."""
import collections
import io
import math
import pathlib
from typing import Any

import numpy as np
from PIL import Image

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.data import celeba, folder
from swae_jax.data.formats import arrays, pictures
from swae_jax.workdir import files

ARRAYS = ('.npz', '.npy')


def numbered(n: int) -> list[str]:
  """Names for n rows that have none."""
  return [f'{i:05d}' for i in range(n)]


def read_array(path: pathlib.Path, key: str) -> tuple[np.ndarray, list[str]]:
  """The array of a .npy file, or of a .npz file with `key` or one array alone.

  Returns:
    The array, and a name for each of its rows: 'names' of a .npz file, or
    numbers.
  """
  try:
    found = {name or key: array for name, array in arrays.read(path).items()}
  except errors.UserError:
    raise
  except Exception as e:  # Damaged files raise almost anything.
    raise errors.DamagedData(f'{path}: no array can be read ({e})') from e
  names = found.pop('names', None)
  if key not in found and len(found) != 1:
    raise errors.UserError(
        f'{path}: it must hold {key!r}, or only one array; it holds '
        f'{", ".join(sorted(found)) or "none"}')
  array = found[key if key in found else min(found)]
  if array.ndim < 1 or names is not None and len(names) != len(array):
    raise errors.UserError(
        f'{path}: the array {list(array.shape)} must have a row for each of '
        f'{"its" if names is None else len(names)} names')
  return array, numbered(len(array)) if names is None else [
      str(name) for name in names]


def resizing(config: dict[str, Any], shape: tuple[int, ...], crop: str | None
             ) -> pictures.Resize | None:
  """How to resize pictures of another size; None refuses them.

  Args:
    config: the config of the run.
    shape: [H, W, C], the shape of an image of the system.
    crop: a name in folder.CROPS; None crops as in training.
  """
  size, channels = shape[1:]
  data = config['data']
  own = data.get(data['name'], {})
  if crop is None and data['name'] == 'celeba':
    return pictures.Resize(size, channels, *celeba.CROPS[own['crop']])
  if crop is None and data['name'] == 'folder':
    crop = own['crop']
  if crop is None:
    return None
  return pictures.Resize(size, channels, Image.Resampling.LANCZOS,
                      folder.CROPS[crop])


def read_pictures(path: pathlib.Path, shape: tuple[int, ...],
                  how: pictures.Resize | None
                  ) -> tuple[np.ndarray, list[str], list[str]]:
  """The pictures of a folder, of a zip file or of one file, and their names.

  Args:
    path: the folder or the file.
    shape: [H, W, C], the shape of an image of the system.
    how: how to resize pictures of another size; None refuses them.

  Returns:
    uint8 [N, H, W, C], N names, and lines on what was read and left out.
  """
  if path.is_dir() or path.suffix.lower() == '.zip':
    found = pictures.find(path)
  else:
    found = pictures.one(path)
  if not found.names:
    raise errors.MissingData(
        f'{path} has no pictures ({", ".join(pictures.SUFFIXES)})')
  height, width, channels = shape
  if height != width or channels not in pictures.MODES:
    raise errors.UserError(
        f'the system takes {height}x{width}x{channels}, which is not a square '
        'picture, grey or RGB; give --input as a .npz or .npy file')
  exact = pictures.Resize(width, channels, Image.Resampling.LANCZOS,
                       pictures.full_box)

  def read(i):
    return pictures.with_image(found, found.names[i], channels,
                               lambda image: fitted(image, found.names[i]))

  def fitted(image, name):
    if image.size == (width, height):
      return pictures.resized(image, exact)
    if how is None:
      raise errors.UserError(
          f'{path}: {name} has {image.size[0]}x{image.size[1]} pixels, the '
          f'system takes {width}x{height}; --crop=centre or --crop=none resizes'
          ' it')
    return pictures.resized(image, how)

  x = pictures.decode_all(len(found.names), exact, read)
  return x, found.names, pictures.summary(found, len(x))


def pixels(x: np.ndarray) -> np.ndarray:
  """Images [N, H, W, C] float -> uint8 [N, H, W] or [N, H, W, 3]."""
  x = data_base.to_uint8(x)
  return x[..., 0] if x.shape[-1] == 1 else x


def paths(output: pathlib.Path, names: list[str]) -> list[pathlib.Path]:
  """A file in the folder `output` for each name; no name leads out of it."""
  short = [name.rpartition('.')[0] if name.lower().endswith(pictures.SUFFIXES)
           else name for name in names]
  unique = len(set(short)) == len(short)
  found = [output / f'{errors.printable(name)}.png'
           for name in (short if unique else names)]
  if len(set(found)) < len(found):
    twice, _ = collections.Counter(names).most_common(1)[0]
    raise errors.UserError(
        f'two images have the name {twice!r}: end --output in .npz or .png')
  for name, path in zip(names, found, strict=True):
    if '\0' in name or not path.resolve().is_relative_to(output.resolve()):
      raise errors.UserError(f'the name {name!r} leads out of {output}')
  return found


def write_npz(path: pathlib.Path, **arrays: Any) -> None:
  """Writes a .npz file, whole or not at all."""
  content = io.BytesIO()
  np.savez(content, **arrays)
  files.replace(path, content.getvalue())


def write_images(output: pathlib.Path, x: np.ndarray, names: list[str],
                 columns: int | None = None) -> str:
  """Writes images as one picture, an array or a folder of pictures.

  Args:
    output: a path that ends in .png (one picture) or .npz (an array), or the
      path of a folder.
    x: images [N, H, W, C].
    names: N names, for an array or a folder.
    columns: the columns of one picture; None makes the picture about square.

  Returns:
    A line on what was written.
  """
  from swae_jax.evals import base
  if output.suffix == '.npz':
    write_npz(output, images=x, names=names)
  elif not base.is_image(x.shape[1:]):
    raise errors.UserError(
        f'{"x".join(map(str, x.shape[1:]))} is not the shape of a picture; '
        'end --output in .npz')
  elif not len(x):
    raise errors.UserError(f'--output={output}: there are no images to write')
  elif output.suffix == '.png':
    _write_one(output, x, columns)
  else:
    for path, image in zip(paths(output, names), pixels(x), strict=True):
      files.save_image(path, image)
  return f'{output}: {len(x)} images'


def _write_one(output, x, columns):
  from swae_jax.evals import pictures
  image = pixels(x)[0] if len(x) == 1 else pictures.tile(
      x, columns or math.isqrt(len(x) - 1) + 1)
  files.save_image(output, image)
