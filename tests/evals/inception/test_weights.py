"""Files of Inception weights: read, refused, and made of other projects'."""
import os
import pathlib
import pickle

import jax
import numpy as np
import pytest

from swae_jax import errors
from swae_jax.evals.inception import sources
from swae_jax.evals.inception import weights as files

SHAPES = files._shapes(2048)


def small_arrays(tap=64, seed=0):
  """The weights that the first tap needs."""
  rng, out = np.random.default_rng(seed), {}
  for layer, parts in files._shapes(tap).items():
    out[f'{layer}/w'] = rng.normal(size=parts['kernel']).astype('f4')
    out[f'{layer}/b'] = rng.normal(size=parts['bias']).astype('f4')
  return out


def write(path, arrays, **more):
  path.parent.mkdir(parents=True, exist_ok=True)
  np.savez(path, **arrays, **more)
  return str(path)


def state(seed=0):
  """Weights with the names of pytorch-fid; most kernels are 1 x 1.

  The conversion does not depend on the sizes; only `load` checks them.
  """
  rng, out = np.random.default_rng(seed), {}
  for i, name in enumerate(sources.NAMES):
    out[f'{name}.conv.weight'] = rng.normal(
        size=(32, 3, 3, 3) if i == 0 else (2, 3, 1, 1))
    for part in ('weight', 'bias', 'running_mean', 'running_var'):
      out[f'{name}.bn.{part}'] = rng.uniform(.5, 1.5, 32 if i == 0 else 2)
  return {name: value.astype('f4') for name, value in out.items()}


def test_every_layer_has_a_name_in_either_project():
  assert len(set(sources.NAMES.values())) == len(sources.NAMES) == 94
  assert set(sources.NAMES.values()) == set(SHAPES)


def test_a_file_is_found_read_and_checked(tmp_path):
  arrays = small_arrays()
  sha256 = files.digest(arrays)
  path = write(tmp_path / 'inception' / files.WHOLE, arrays, sha256=sha256)
  assert str(files.find('/nowhere', str(tmp_path))) == path
  variables, found = files.load(path, 64)
  assert found == sha256 and files.content(path) == ([64], sha256)
  for layer, parts in variables['params'].items():
    np.testing.assert_array_equal(parts['kernel'], arrays[f'{layer}/w'])
    np.testing.assert_array_equal(parts['bias'], arrays[f'{layer}/b'])


def test_the_whole_network_goes_before_a_part(tmp_path):
  part = write(tmp_path / 'inception' / files.PARTIAL, small_arrays())
  assert str(files.find(str(tmp_path))) == part
  write(tmp_path / files.WHOLE, small_arrays())
  assert files.find(str(tmp_path)).name == files.WHOLE


def refused(kind, words, fn, *args):
  with pytest.raises(kind, match=words) as e:
    fn(*args)
  assert '\n' not in str(e.value)


def test_what_is_not_there_is_one_line(tmp_path):
  path = write(tmp_path / 'a.npz', small_arrays())
  refused(errors.MissingData, r'768 features need .* conv_3; get pt_inception',
          files.load, path, 768)
  arrays = small_arrays()
  del arrays['conv_1/b']
  path = write(tmp_path / 'b.npz', arrays)
  refused(errors.MissingData, 'conv_1; get', files.load, path, 64)
  refused(errors.MissingData, 'no file', files.load, str(tmp_path / 'c'), 64)
  refused(errors.MissingData, f'{files.WHOLE} is not in {tmp_path}/inception '
          f'nor in {tmp_path}; get', files.find, str(tmp_path))
  refused(errors.MissingData, 'none is known', files.find)


def test_what_is_wrong_is_one_line(tmp_path):
  arrays = small_arrays()
  sha256 = files.digest(arrays)
  arrays['conv/b'][0] += 1
  path = write(tmp_path / 'a.npz', arrays, sha256=sha256)
  refused(errors.DamagedData, 'sha256', files.load, path, 64)
  arrays['conv/w'] = arrays['conv/w'].transpose(3, 2, 0, 1)
  path = write(tmp_path / 'b.npz', arrays)
  refused(errors.DamagedData, r'conv has a kernel of float32 \[32, 3, 3, 3\]',
          files.load, path, 64)
  (tmp_path / 'c.npz').write_bytes(pathlib.Path(path).read_bytes()[:-500])
  refused(errors.DamagedData, 'not an npz file', files.load,
          str(tmp_path / 'c.npz'), 64)


def test_batch_norm_is_folded_in():
  given = state()
  arrays = sources.folded(given, 'here')
  x = np.random.default_rng(1).normal(size=(3, 3, 3))  # the window of one pixel
  get = lambda part: np.float64(given[f'Conv2d_1a_3x3.{part}'])
  y = np.einsum('chw,ochw->o', x, get('conv.weight'))
  y = ((y - get('bn.running_mean')) / np.sqrt(get('bn.running_var') + .001)
       * get('bn.weight') + get('bn.bias'))
  ours = np.einsum('chw,hwco->o', x, arrays['conv/w']) + arrays['conv/b']
  np.testing.assert_allclose(ours, y, rtol=1e-5, atol=1e-6)
  assert len(arrays) == 2 * 94
  assert {a.dtype for a in arrays.values()} == {np.dtype('f4')}


def as_jax_fid(given):
  """The same parameters as nested dicts, as Flax names them."""
  tree = {'fc': {'kernel': np.ones((4, 2), 'f4'), 'bias': np.ones(2, 'f4')}}
  parts = {'running_mean': 'mean', 'running_var': 'var', 'bias': 'bias'}
  for name, value in given.items():
    *path, layer, part = name.split('.')
    node = tree
    for key in (*path, layer):
      node = node.setdefault(key, {})
    if layer == 'conv':
      node['kernel'] = value.transpose(2, 3, 1, 0)
    else:
      node[parts.get(part, 'scale')] = value
  return tree


def test_both_projects_give_the_same_file(tmp_path):
  torch = pytest.importorskip('torch')
  given = state()
  torch.save({name: torch.tensor(value) for name, value in given.items()},
             tmp_path / 'a.pth')
  (tmp_path / 'a.pickle').write_bytes(pickle.dumps(as_jax_fid(given)))
  paths = [files.convert(str(tmp_path / name), str(tmp_path / name[-3:]))
           for name in ('a.pth', 'a.pickle')]
  a, b = map(files._read, paths)  # Checks the digest.
  assert files.digest(a) == files.digest(b)
  expected = sources.folded(given, 'here')
  assert jax.tree.all(jax.tree.map(np.array_equal, a, expected))
  assert [p.name for p in paths[0].parent.iterdir()] == [files.WHOLE]


class Program:
  """A pickle that would do something."""

  def __reduce__(self):
    return os.mkdir, (self.path,)


def test_a_foreign_file_is_one_line(tmp_path):
  program = Program()
  program.path = str(tmp_path / 'done')
  (tmp_path / 'a.pickle').write_bytes(pickle.dumps(program))
  refused(errors.DamagedData, 'asks for posix.mkdir', sources.arrays,
          str(tmp_path / 'a.pickle'))
  assert not os.path.exists(program.path)
  (tmp_path / 'b.pickle').write_bytes(pickle.dumps({'x': {'y': np.ones(2)}}))
  refused(errors.DamagedData, 'not the Inception network .*Conv2d_1a_3x3',
          sources.arrays, str(tmp_path / 'b.pickle'))
  refused(errors.MissingData, "no file '/nowhere'", sources.arrays, '/nowhere')


def test_a_damaged_file_of_pytorch_is_one_line(tmp_path):
  pytest.importorskip('torch')
  for name, words in (('a.pth', 'PyTorch cannot read'),
                      (sources.PYTORCH, 'expected 6726825d')):
    (tmp_path / name).write_bytes(b'PK\3\4' + bytes(100))
    refused(errors.DamagedData, words, sources.arrays, str(tmp_path / name))
