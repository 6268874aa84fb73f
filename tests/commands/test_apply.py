import os
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image
import pytest
import tiny_trained

import swae_jax
from swae_jax import __main__ as commands
from swae_jax import model as model_lib
from swae_jax.commands import export

ROOT = pathlib.Path(swae_jax.__file__).parent.parent
SHAPE = 8, 8, 3


@pytest.fixture(name='model', scope='module')
def tiny_model():
  return model_lib.Model(tiny_trained.held('ae', shape=list(SHAPE)))


@pytest.fixture(name='run')
def command(model, tmp_path, monkeypatch):
  """Carries out a command in a folder with a model and three photos."""
  monkeypatch.chdir(tmp_path)
  export.write_safetensors(model, tmp_path / 'model.safetensors')
  photos = tmp_path / 'photos'
  photos.mkdir()
  for i, image in enumerate(tiny_trained.images(3, SHAPE)):
    Image.fromarray(image).save(photos / f'{"cab"[i]}.png')
  return lambda line: commands.run(
      ['apply', *line.split(), '--model=model.safetensors'])


def photos():
  return tiny_trained.images(3, SHAPE)[[1, 2, 0]]  # by name


def test_pictures_to_codes_and_back(model, run, capsys):
  run('encode --input=photos --output=codes.npz')
  assert capsys.readouterr().out == 'codes.npz: 3 codes of 2 numbers\n'
  with np.load('codes.npz') as found:
    np.testing.assert_array_equal(found['codes'], model.encode(photos()))
    assert list(found['names']) == ['a.png', 'b.png', 'c.png']
  run('decode --input=codes.npz --output=decoded.npz')
  x = model.reconstruct(photos())
  with np.load('decoded.npz') as found:
    np.testing.assert_array_equal(found['images'], x)
  run('reconstruct --input=photos --output=again/')
  for name, image in zip('abc', x, strict=True):
    with Image.open(f'again/{name}.png') as found:
      np.testing.assert_array_equal(found, np.rint(image * 255))


def test_samples_depend_on_the_seed(model, run):
  for name, more in (('a', ''), ('b', '--seed=0'), ('c', '--seed=4294967295')):
    run(f'sample --n=2 --output={name}.npz {more}')
  a, b, c = (np.load(f'{name}.npz')['images'] for name in 'abc')
  np.testing.assert_array_equal(a, model.sample(2))
  np.testing.assert_array_equal(a, b)
  assert not (a == c).all()


def test_a_row_for_each_pair_of_neighbours(model, run):
  for output in ('x.npz', 'x.png'):
    run(f'interpolate --input=photos --steps=4 --output={output}')
  rows = model.interpolate(photos()[:2], photos()[1:], 4)
  with np.load('x.npz') as found:
    np.testing.assert_array_equal(found['images'], rows.reshape(8, *SHAPE))
  with Image.open('x.png') as image:
    assert image.size[0] / image.size[1] == pytest.approx(2, rel=.05)


def test_a_name_with_a_zero_byte_is_refused(run, capsys):
  np.savez('nul.npz', codes=np.zeros((1, 2)), names=['a\0b'])
  with pytest.raises(SystemExit) as found:
    run('decode --input=nul.npz --output=z')
  assert found.value.code == 2 and 'leads out' in capsys.readouterr().err
  assert not pathlib.Path('z').exists()


def test_a_mistake_shows_before_jax_is_loaded(tmp_path):
  (tmp_path / 'jax.py').write_text('raise SystemExit(99)')
  found = subprocess.run(
      [sys.executable, '-m', 'swae_jax', 'apply', 'encode', '--workdir=w',
       '--input=x', '--output=z.npz'], capture_output=True, text=True,
      cwd=tmp_path, env={**os.environ, 'PYTHONPATH': f'{tmp_path}:{ROOT}'})
  assert found.returncode == 66, found.stderr
  assert found.stderr == (
      'swae_jax: --input=x: it is not there, or is no plain file\n')
