"""Inception weights in the files of other projects.

Two projects publish conversions of the TensorFlow graph; see __init__.py.
"""
from collections.abc import Mapping
import os
from typing import Any

import jax
import numpy as np

from swae_jax import errors
from swae_jax.data.formats import archives, files, pickles

PYTORCH = 'pt_inception-2015-12-05-6726825d.pth'
PICKLE = 'inception_v3_weights_fid.pickle'
KNOWN = f'{PYTORCH} of pytorch-fid or {PICKLE} of jax-fid'
EPSILON = 1e-3  # The epsilon of the batch norms.
MOST = 1 << 28  # Bytes of a pickle; that of jax-fid has 96 MB.


def arrays(source: str) -> dict[str, np.ndarray]:
  """The arrays {`<layer>/w`, `<layer>/b`} of a file of either project."""
  if not os.path.isfile(source):
    raise errors.MissingData(
        f'--from: there is no file {source!r}; get {KNOWN}')
  read = _of_jax_fid if source.endswith('.pickle') else _of_pytorch
  return folded(read(source), source)


def folded(state: Mapping[str, Any], where: str) -> dict[str, np.ndarray]:
  """Folds batch norm into the convolutions.

  Args:
    state: {name: array} as pytorch-fid names them.
    where: the name of the file, for errors.

  Returns:
    {`<layer>/w`: [k_h, k_w, C_in, C_out], `<layer>/b`: [C_out]}, float32, with
    the names of the layers in the TensorFlow graph.
  """
  out = {}
  for theirs, ours in NAMES.items():
    try:
      get = lambda name, at=theirs: np.asarray(
          state[f'{at}.{name}'], np.float64)
      scale = get('bn.weight') / np.sqrt(get('bn.running_var') + EPSILON)
      kernel = get('conv.weight').transpose(2, 3, 1, 0) * scale
      bias = get('bn.bias') - get('bn.running_mean') * scale
    except (KeyError, ValueError, TypeError) as e:
      raise errors.DamagedData(
          f'{where}: not the Inception network of the FID ({theirs}: {e}); get '
          f'{KNOWN}') from e
    out[f'{ours}/w'] = kernel.astype(np.float32)
    out[f'{ours}/b'] = bias.astype(np.float32)
  return out


def _names():
  """{name of a layer in pytorch-fid: its name in the TensorFlow graph}."""
  names = {f'Conv2d_{theirs}': f'conv{ours}' for theirs, ours in (
      ('1a_3x3', ''), ('2a_3x3', '_1'), ('2b_3x3', '_2'), ('3b_1x1', '_3'),
      ('4a_3x3', '_4'))}
  chain = lambda branch, n, to: {
      f'{branch}_{i + 1}': f'{to}_{i}' if i else to for i in range(n)}
  one, pool = {'branch1x1': 'conv'}, {'branch_pool': 'tower_2_conv'}
  double = chain('branch3x3dbl', 3, 'tower_1_conv')
  fine = one | chain('branch5x5', 2, 'tower_conv') | double | pool
  to_middle = {'branch3x3': 'conv'} | chain('branch3x3dbl', 3, 'tower_conv')
  middle = (one | chain('branch7x7', 3, 'tower_conv')
            | chain('branch7x7dbl', 5, 'tower_1_conv') | pool)
  to_coarse = (chain('branch3x3', 2, 'tower_conv')
               | chain('branch7x7x3', 4, 'tower_1_conv'))
  coarse = (one | pool | {
      'branch3x3_1': 'tower_conv', 'branch3x3_2a': 'tower_mixed_conv',
      'branch3x3_2b': 'tower_mixed_conv_1', 'branch3x3dbl_1': 'tower_1_conv',
      'branch3x3dbl_2': 'tower_1_conv_1',
      'branch3x3dbl_3a': 'tower_1_mixed_conv',
      'branch3x3dbl_3b': 'tower_1_mixed_conv_1'})
  blocks = [fine] * 3 + [to_middle] + [middle] * 4 + [to_coarse] + [coarse] * 2
  theirs = ('5b', '5c', '5d', '6a', '6b', '6c', '6d', '6e', '7a', '7b', '7c')
  for i, (block, at) in enumerate(zip(blocks, theirs, strict=True)):
    to = f'mixed_{i}' if i else 'mixed'
    names |= {f'Mixed_{at}.{a}': f'{to}_{b}' for a, b in block.items()}
  return names


NAMES = _names()


def _of_pytorch(source):
  """{name: array} of a file of pytorch-fid."""
  try:
    import torch  # pyright: ignore[reportMissingImports]
  except ImportError as e:
    raise errors.UserError(f'{source}: reading it needs PyTorch: pip install '
                           f'torch, or get {PICKLE} of jax-fid') from e
  if os.path.basename(source) == PYTORCH:
    # The name of the file ends with the start of its digest.
    start = PYTORCH.removesuffix('.pth').rpartition('-')[2]
    files.check(source, files.digest(source)[:len(start)], start,
                'sha256 (its start)')
  try:
    return torch.load(source, map_location='cpu', weights_only=True)
  except Exception as e:  # PyTorch raises errors of many types.
    raise errors.DamagedData(f'{source}: PyTorch cannot read it '
                             f'({type(e).__name__}); get {KNOWN}') from e


def _of_jax_fid(source):
  """{name: array} of a file of jax-fid, with the names of pytorch-fid."""
  try:
    with open(source, 'rb') as file:
      tree = pickles.loads(archives.Limited(file, MOST).read())
    flat = {'.'.join(k.key for k in path): np.asarray(value) for path, value in
            jax.tree.leaves_with_path(tree)}
  except Exception as e:  # Damaged pickles raise errors of many types.
    raise errors.DamagedData(
        f'{source}: not a pickle of arrays ({e}); get {KNOWN}') from e
  state = {}
  for name, value in flat.items():
    layer, _, part = name.rpartition('.')
    to = {'kernel': 'weight', 'scale': 'weight', 'mean': 'running_mean',
          'var': 'running_var'}.get(part, part)
    kernel = part == 'kernel' and value.ndim == 4
    state[f'{layer}.{to}'] = value.transpose(3, 2, 0, 1) if kernel else value
  return state
