"""Inception against the same network in PyTorch, batch norm and all."""
import os
import pathlib

import jax
import numpy as np
import pytest

from swae_jax.evals import comparisons, features, fid
from swae_jax.evals.inception import network, sources
from swae_jax.evals.inception import weights as files

torch = pytest.importorskip('torch')
F = torch.nn.functional


class Reference:
  """The layers by the names of pytorch-fid, from its state."""

  def __init__(self, state):
    self.state = state

  def conv(self, x, name, padding=0, stride=1):
    get = lambda part: self.state[f'{name}.{part}']
    x = F.conv2d(x, get('conv.weight'), stride=stride, padding=padding)
    return F.relu(F.batch_norm(
        x, get('bn.running_mean'), get('bn.running_var'), get('bn.weight'),
        get('bn.bias'), eps=.001))

  def block(self, x, name, *branches):
    """Each branch: an optional pool, then (layer, padding, stride) in a row."""
    out = []
    for first, *layers in branches:
      y = first(x) if first else x
      for layer, *options in layers:
        y = self.conv(y, f'{name}.{layer}', *options)
      out.append(y)
    return torch.cat(out, 1)

  def split(self, x, name, a, b):
    return torch.cat([self.conv(x, f'{name}.{a}', (0, 1)),
                      self.conv(x, f'{name}.{b}', (1, 0))], 1)

  def taps(self, x):
    """x [B, 3, H, W] -> {tap: [B, tap]}."""
    mean = lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    largest = lambda x: F.max_pool2d(x, 3, 1, 1)
    halved = lambda x: F.max_pool2d(x, 3, 2)
    found = {}

    def tap(x):
      found[x.shape[1]] = x.mean((2, 3))
      return x

    x = self.conv(x, 'Conv2d_1a_3x3', 0, 2)
    x = self.conv(self.conv(x, 'Conv2d_2a_3x3'), 'Conv2d_2b_3x3', 1)
    x = self.conv(tap(halved(x)), 'Conv2d_3b_1x1')
    x = tap(halved(self.conv(x, 'Conv2d_4a_3x3')))
    for name in ('Mixed_5b', 'Mixed_5c', 'Mixed_5d'):
      x = self.block(
          x, name, (None, ['branch1x1']),
          (None, ['branch5x5_1'], ['branch5x5_2', 2]),
          (None, ['branch3x3dbl_1'], ['branch3x3dbl_2', 1],
           ['branch3x3dbl_3', 1]),
          (mean, ['branch_pool']))
    x = self.block(
        x, 'Mixed_6a', (None, ['branch3x3', 0, 2]),
        (None, ['branch3x3dbl_1'], ['branch3x3dbl_2', 1],
         ['branch3x3dbl_3', 0, 2]), (halved,))
    row, column = (0, 3), (3, 0)
    for name in ('Mixed_6b', 'Mixed_6c', 'Mixed_6d', 'Mixed_6e'):
      x = self.block(
          x, name, (None, ['branch1x1']),
          (None, ['branch7x7_1'], ['branch7x7_2', row],
           ['branch7x7_3', column]),
          (None, ['branch7x7dbl_1'], ['branch7x7dbl_2', column],
           ['branch7x7dbl_3', row], ['branch7x7dbl_4', column],
           ['branch7x7dbl_5', row]),
          (mean, ['branch_pool']))
    tap(x)
    x = tap(self.block(
        x, 'Mixed_7a', (None, ['branch3x3_1'], ['branch3x3_2', 0, 2]),
        (None, ['branch7x7x3_1'], ['branch7x7x3_2', row],
         ['branch7x7x3_3', column], ['branch7x7x3_4', 0, 2]), (halved,)))
    for name, pool in (('Mixed_7b', mean), ('Mixed_7c', largest)):
      tower = self.conv(x, f'{name}.branch3x3_1')
      double = self.conv(self.conv(x, f'{name}.branch3x3dbl_1'),
                         f'{name}.branch3x3dbl_2', 1)
      x = torch.cat([
          self.conv(x, f'{name}.branch1x1'),
          self.split(tower, name, 'branch3x3_2a', 'branch3x3_2b'),
          self.split(double, name, 'branch3x3dbl_3a', 'branch3x3dbl_3b'),
          self.conv(pool(x), f'{name}.branch_pool')], 1)
    tap(x)
    return {tap: value.numpy() for tap, value in found.items()}


def random_state(seed=0):
  """Weights with the names of pytorch-fid and the size of trained ones."""
  rng, state = np.random.default_rng(seed), {}
  shapes = files._shapes(2048)
  for theirs, ours in sources.NAMES.items():
    *size, c_in, c_out = shapes[ours]['kernel']
    parts = {
        'conv.weight': rng.normal(size=(c_out, c_in, *size))
                       * (2 / (c_in * np.prod(size)))**.5,
        'bn.weight': rng.uniform(.5, 1.5, c_out),
        'bn.bias': .1 * rng.normal(size=c_out),
        'bn.running_mean': .1 * rng.normal(size=c_out),
        'bn.running_var': rng.uniform(.5, 1.5, c_out)}
    for part, value in parts.items():
      state[f'{theirs}.{part}'] = torch.tensor(value, dtype=torch.float32)
  return state


def test_every_tap_is_that_of_pytorch():
  # The sides differ, and the last maps have 2 x 3 pixels: the two pools of the
  # last blocks, and rows and columns, can be told apart.
  x = np.random.default_rng(1).uniform(-1, 1, (1, 107, 139, 3)).astype('f4')
  state = random_state()
  arrays = sources.folded(state, 'here')
  params = {layer: {'kernel': arrays[f'{layer}/w'], 'bias': arrays[
      f'{layer}/b']} for layer in sources.NAMES.values()}
  net = network.Inception(network.TAPS)
  found = jax.jit(net.apply)({'params': params}, x)
  with torch.no_grad():
    expected = Reference(state).taps(torch.tensor(x).permute(0, 3, 1, 2))
  assert set(expected) == set(network.TAPS) == {64, 192, 768, 1280, 2048}
  for tap, value in zip(network.TAPS, found, strict=True):
    assert np.std(expected[tap]) > .05  # Nothing has died out.
    np.testing.assert_allclose(value, expected[tap], rtol=1e-4, atol=1e-4)


def real(name):
  """A file of the real data, whose folder the environment names."""
  path = pathlib.Path(os.environ.get('SWAE_JAX_DATA', '')) / name
  if not path.is_file():
    pytest.skip(f'SWAE_JAX_DATA: no {name}')
  return path


def unfolded(arrays):
  """A state of pytorch-fid with trivial batch norms."""
  state = {}
  for theirs, ours in sources.NAMES.items():
    kernel = arrays.get(f'{ours}/w', np.zeros((1, 1, 1, 1), 'f4'))
    bias = arrays.get(f'{ours}/b', np.zeros(1, 'f4'))
    parts = {'conv.weight': kernel.transpose(3, 2, 0, 1), 'bn.bias': bias,
             'bn.weight': np.full(len(bias), (1 + 1e-3)**.5),
             'bn.running_mean': 0 * bias, 'bn.running_var': 1 + 0 * bias}
    for part, value in parts.items():
      state[f'{theirs}.{part}'] = torch.tensor(value, dtype=torch.float32)
  return state


class ToMixed7(Reference):
  """Ends with the 768 features."""

  def block(self, x, name, *branches):
    if name == 'Mixed_7a':
      raise StopIteration
    x = super().block(x, name, *branches)
    self.last = x
    return x


@pytest.mark.slow
def test_fid_of_real_images_is_that_of_pytorch():
  path = real(f'inception/{files.PARTIAL}')
  with np.load(real('cifar10/cifar10_sub.npz')) as found:
    x = found['images'][:128]
  ours = features.extract(fid.make(str(path), 768, 'bilinear', 16), [x])
  with np.load(path) as found:
    reference = ToMixed7(unfolded(dict(found)))
  theirs = []
  for start in range(0, len(x), 16):
    batch = torch.tensor(x[start:start + 16]).permute(0, 3, 1, 2) / 255
    batch = 2 * F.interpolate(batch, (299, 299), mode='bilinear',
                              align_corners=False) - 1
    with torch.no_grad(), pytest.raises(StopIteration):
      reference.taps(batch)
    theirs.append(reference.last.mean((2, 3)).numpy())
  theirs = np.concatenate(theirs)
  np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
  # The covariances have rank 63: singular values of the data are exact.
  x, y = np.float64(theirs[:64]), np.float64(theirs[64:])
  a, b = ((z - z.mean(0)) / 63**.5 for z in (x, y))
  expected = (np.sum((x.mean(0) - y.mean(0))**2) + np.sum(a**2) + np.sum(b**2)
              - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum())
  value = comparisons.frechet(ours[:64], ours[64:])['frechet']
  assert value == pytest.approx(expected, rel=1e-5)
