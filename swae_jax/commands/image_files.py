"""Images and codes by name, from files and into files."""
import io
import math
import zipfile

import numpy as np
from PIL import Image

from swae_jax import errors
from swae_jax.data import celeba, folder
from swae_jax.data.formats import pictures
from swae_jax.workdir import files

ARRAYS = ('.npz', '.npy')


def numbered(n):
  """Names for what has none."""
  return [f'{i:05d}' for i in range(n)]


def read_array(path, key):
  """(array, names) of a .npz file with `key` or one array, or a .npy file."""
  try:
    with open(path, 'rb') as file:
      found = np.load(file)
      if isinstance(found, np.ndarray):
        return found, numbered(len(found))
      found = dict(found)
  except (ValueError, EOFError, TypeError, zipfile.BadZipFile) as e:
    raise errors.DamagedData(f'{path}: no array can be read ({e})') from e
  names = found.pop('names', None)
  if key not in found and len(found) != 1:
    raise errors.UserError(
        f'{path}: it must hold {key!r}, or one array alone; it holds '
        f'{", ".join(sorted(found)) or "none"}')
  array = found[key if key in found else min(found)]
  if array.ndim < 1 or names is not None and len(names) != len(array):
    raise errors.UserError(f'{path}: {list(array.shape)} is not a row for each '
                           f'of {"the" if names is None else len(names)} names')
  return array, numbered(len(array)) if names is None else [
      str(name) for name in names]


def resizing(config, shape, crop):
  """How pictures of other sizes are fitted, or None: not at all."""
  size, channels = shape[1:]
  data = config['data']
  if crop is None and data['name'] == 'celeba':
    return pictures.How(size, channels, *celeba.CROPS[data['crop']])
  if crop is None and data['name'] == 'folder':
    crop = data['crop']
  return crop and pictures.How(size, channels, Image.Resampling.LANCZOS,
                             folder.CROPS[crop])


def read_pictures(path, shape, how):
  """(uint8 [N, H, W, C], names) of a folder, a zip file or one picture."""
  if path.is_dir() or path.suffix.lower() == '.zip':
    found = pictures.pictures(path)
  else:
    found = pictures.Pictures(
        path.parent, [path.name], lambda name: path.read_bytes(), '')
  if not found.names:
    raise errors.MissingData(
        f'{path} has no pictures ({", ".join(pictures.SUFFIXES)})')
  height, width, channels = shape
  if height != width or channels not in pictures.MODES:
    raise errors.UserError(
        f'the system takes {height}x{width}x{channels}, which is no square '
        'picture, grey or RGB: give --input as a .npz or .npy file')
  exact = pictures.How(width, channels, Image.Resampling.LANCZOS, pictures.whole)

  def fitted(image, name):
    if image.size == (width, height):
      return pictures.shrunk(image, exact)
    if how is None:
      raise errors.UserError(
          f'{path}: {name} has {image.size[0]}x{image.size[1]} pixels, the '
          f'system takes {width}x{height}; --crop=centre or --crop=none resizes'
          ' it')
    return pictures.shrunk(image, how)

  return pictures.fill(len(found.names), exact, lambda i: pictures.opened(
      found, found.names[i], lambda image: fitted(image, found.names[i])
  )), found.names


def pixels(x):
  """Images [N, H, W, C] float -> uint8 [N, H, W] or [N, H, W, 3]."""
  x = np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)
  return x[..., 0] if x.shape[-1] == 1 else x


def files(output, names):
  """The file of each name in the folder `output`."""
  short = [name.rpartition('.')[0] if name.lower().endswith(pictures.SUFFIXES)
           else name for name in names]
  unique = len(set(short)) == len(short)
  paths = [output / f'{name}.png' for name in (short if unique else names)]
  for path in paths:
    if not path.resolve().is_relative_to(output.resolve()):
      raise errors.UserError(f'the name {path} leads out of {output}')
  return paths


def write_npz(path, **arrays):
  """A .npz file, replaced in one move."""
  content = io.BytesIO()
  np.savez(content, **arrays)
  files.replace(path, content.getvalue())


def write_images(output, x, names, columns=None):
  """Images [N, H, W, C] into one picture, an array or a folder."""
  from swae_jax.evals import base, pictures
  if output.suffix == '.npz':
    write_npz(output, images=x, names=names)
  elif not base.is_image(x.shape[1:]):
    raise errors.UserError(
        f'{"x".join(map(str, x.shape[1:]))} is no picture: end --output in '
        '.npz')
  elif output.suffix != '.png':
    for path, image in zip(files(output, names), pixels(x), strict=True):
      files.save_image(path, image)
  elif len(x) == 1:
    files.save_image(output, pixels(x)[0])
  else:
    files.save_image(output, pictures.tile(
        x, columns or math.isqrt(len(x) - 1) + 1))
  return f'{output}: {len(x)} images'
