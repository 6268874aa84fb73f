"""Finds, checks, reads and writes the file of the Inception weights.

The file is an npz with `<layer>/w` [k_h, k_w, C_in, C_out] and `<layer>/b`
[C_out] for each layer, with batch norm folded in.  `sha256` is the digest of
these arrays.
"""
from collections.abc import Mapping
import contextlib
import functools
import hashlib
import os
import pathlib
from typing import Any
import uuid

import jax
import numpy as np

from swae_jax import errors
from swae_jax.data.formats import arrays as arrays_lib
from swae_jax.data.formats import files
from swae_jax.evals.inception import network, sources

WHOLE = 'inception_2015_12_05.npz'
MOST = 1 << 28  # Bytes of all arrays; those of the whole network have 96 MB.
PARTIAL = 'inception_2015_12_05_to_mixed8.npz'
HOW = (f'get {sources.KNOWN} and run swae prepare inception --from=FILE '
       '--data_dir=DIR')


def find(*dirs: str) -> pathlib.Path:
  """The file of the weights in the first folder that has one."""
  for folder in dirs:
    path = files.find('inception', folder, WHOLE, PARTIAL)
    if path:
      return path
  where = ' nor in '.join(
      str(f) for folder in dirs for f in files.folders('inception', folder))
  raise errors.MissingData(
      f'inception: {WHOLE} is not in {where or "any folder: none is known"}; '
      f'{HOW}')


def content(path: str | os.PathLike[str]) -> tuple[list[int], str]:
  """The taps that have all their layers in a file; sha256 of its arrays."""
  arrays = _read(path)
  return ([tap for tap in network.TAPS if not _lacking(arrays, tap)],
          digest(arrays))


def load(path: str | os.PathLike[str],
         tap: int) -> tuple[dict[str, Any], str]:
  """Variables of network.Inception((tap,)), and the sha256 of all arrays."""
  arrays, shapes = _read(path), _shapes(tap)
  lacking = _lacking(arrays, tap)
  if lacking:
    raise errors.MissingData(
        f'{path}: the {tap} features need layers that are not in the file, '
        f'such as {lacking[0]}; {HOW}, or ask for fewer features')
  params = {layer: {'kernel': arrays[f'{layer}/w'], 'bias': arrays[
      f'{layer}/b']} for layer in shapes}
  for layer, parts in shapes.items():
    for part, shape in parts.items():
      found = params[layer][part]
      if found.shape != shape or found.dtype != np.float32:
        raise errors.DamagedData(
            f'{path}: {layer} has a {part} of {found.dtype} '
            f'{list(found.shape)}, expected float32 {list(shape)}; {HOW}')
  return {'params': params}, digest(arrays)


def digest(arrays: Mapping[str, np.ndarray]) -> str:
  """sha256 (hex) of the names, types, shapes and bytes of arrays."""
  out = hashlib.sha256()
  for name in sorted(arrays):
    array = arrays[name]
    out.update(f'{name} {array.dtype.str}{array.shape}'.encode())
    out.update(np.ascontiguousarray(array).data)
  return out.hexdigest()


def convert(source: str, data_dir: str) -> pathlib.Path:
  """Converts a file of another project; returns the path of the new file."""
  arrays = sources.arrays(source)
  content: dict[str, Any] = {'sha256': digest(arrays), **arrays}
  folder = files.folders('inception', data_dir)[0]
  path = folder / WHOLE
  part = folder / f'{WHOLE}.{uuid.uuid4().hex}'
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with open(part, 'xb') as file:
      np.savez(file, **content)
    os.replace(part, path)
  except OSError as e:
    with contextlib.suppress(OSError):
      part.unlink()
    raise errors.UserError(f'{path} cannot be written: {e.strerror}') from e
  return path


def _read(path):
  """The arrays of a file, checked by the digest in the file, if any."""
  try:
    arrays = arrays_lib.read(path, most=MOST)
  except FileNotFoundError as e:
    raise errors.MissingData(
        f'inception: there is no file {path}; {HOW}') from e
  except Exception as e:  # Damaged files raise errors of many types.
    raise errors.DamagedData(
        f'{path}: not an npz file of Inception weights ({e}); {HOW}') from e
  expected = arrays.pop('sha256', None)
  if expected is not None:
    files.check(path, digest(arrays), str(expected), 'sha256 (of arrays)')
  return arrays


def _lacking(arrays, tap):
  """Layers that a tap needs and the arrays lack."""
  return [layer for layer in _shapes(tap)
          if not {f'{layer}/w', f'{layer}/b'} <= arrays.keys()]


@functools.cache
def _shapes(tap):
  """{layer: {'kernel': shape, 'bias': shape}} of the layers of a tap."""
  x = jax.ShapeDtypeStruct((1, 75, 75, 3), np.float32)
  net = network.Inception((tap,))
  shapes = jax.eval_shape(net.init, jax.random.key(0), x)
  return jax.tree.map(lambda a: a.shape, shapes['params'])
