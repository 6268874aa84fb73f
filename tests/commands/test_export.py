import pathlib
import sys

import jax
from jax import export as jax_export
import numpy as np
import pytest
import tiny_trained

from swae_jax import __main__ as commands
from swae_jax import errors
from swae_jax import model as model_lib
from swae_jax.commands import export
from swae_jax.workdir import digests
import tiny

DCGAN = [28, 28, 1]


def held(system):
  """A system; 'dcgan' stands for one with strides and batch normalisation."""
  if system != 'dcgan':
    return tiny_trained.held(system)
  config = tiny.config('wae_mmd', {
      'network.name': 'dcgan', 'network.dcgan.filters': 8})
  config.network.mlp.hidden = 300  # the default: it is not chosen
  return tiny_trained.of_config(config, shape=DCGAN)


@pytest.mark.parametrize('system', ['swae', 'wae_gan', 'dcgan'])
def test_one_file_holds_every_bit(system, tmp_path):
  a = held(system)
  path = tmp_path / 'model.safetensors'
  export.write_safetensors(model_lib.Model(a), path)
  model = model_lib.load(path)
  jax.tree.map(np.testing.assert_array_equal, model.saved.variables,
               a.variables)
  assert digests.summary(model.saved.variables) == digests.summary(
      a.variables)
  assert model.saved.about == a.about
  assert bool(model.saved.variables.stats) == (system == 'dcgan')
  assert ('critic' in model.saved.variables.params) == (system == 'wae_gan')
  assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_flipped_bit_is_refused(tmp_path):
  a = held('ae')
  path = tmp_path / 'model.safetensors'
  export.write_safetensors(model_lib.Model(a), path)
  content = path.read_bytes()
  rng = np.random.default_rng(0)
  places = [*rng.integers(4000, size=20), *rng.integers(len(content), size=20)]
  for place in places:
    damaged = bytearray(content)
    damaged[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(damaged)
    with pytest.raises(errors.UserError):
      model_lib.of_file(path)
  path.write_bytes(content[:-9])
  with pytest.raises(errors.DamagedData, match='no safetensors file'):
    model_lib.of_file(path)
  path.write_bytes(content)
  assert model_lib.of_file(path).about == a.about


def test_the_file_of_another_program_is_refused(tmp_path):
  from safetensors import numpy as safetensors
  path = tmp_path / 'other.safetensors'
  path.write_bytes(safetensors.save({'w': np.zeros(3, np.float32)}))
  with pytest.raises(errors.UserError, match='not written by swae_jax'):
    model_lib.load(path)


def close(found, expected):
  np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize('system', ['swae', 'dcgan'])
def test_functions_of_any_number_of_rows_for_any_platform(system, tmp_path):
  a = held(system)
  folder = tmp_path / 'model.stablehlo'
  export.write_stablehlo(model_lib.Model(a), folder)
  found = {path.stem: jax_export.deserialize(bytearray(path.read_bytes()))
           for path in folder.glob('*.bin')}
  assert found.keys() == {'encode', 'decode', 'sample'}
  variables, o = jax.device_put(a.variables), a.system
  x = np.random.default_rng(0).random((7, *a.about['input']['shape']))
  x = x.astype(np.float32)
  keys = np.random.default_rng(1).integers(2**32, size=(7, 2), dtype=np.uint32)
  decode = jax.jit(o.decode)
  z = jax.jit(o.encode)(variables, x)
  x_rec = decode(variables, z)
  z_prior = np.concatenate([o.sample(
      variables, jax.random.wrap_key_data(key), 1) for key in keys])
  for n in (1, 3, 7):
    close(found['encode'].call(x[:n]), z[:n])
    close(found['decode'].call(z[:n]), x_rec[:n])
  close(found['sample'].call(keys), decode(variables, z_prior))
  for function in found.values():
    assert function.platforms == ('cpu', 'cuda', 'tpu')


@pytest.mark.parametrize('package, ending', [
    ('safetensors', '.safetensors'), ('flatbuffers', '.stablehlo')])
def test_a_missing_package_is_one_line(
    tmp_path, monkeypatch, capsys, package, ending):
  tiny_trained.workdir(tmp_path / 'run', held('ae'))
  monkeypatch.setitem(sys.modules, package, None)
  with pytest.raises(SystemExit) as found:
    commands.run(['export', f'--workdir={tmp_path / "run"}',
                  f'--output={tmp_path / "model"}{ending}'])
  _, err = capsys.readouterr()
  assert found.value.code == 2
  assert f'{package} is not installed: pip install' in err
  assert len(err.splitlines()) == 1
  assert not (tmp_path / f'model{ending}').exists()


def test_reading_says_which_package_is_missing(tmp_path, monkeypatch):
  path = pathlib.Path(tmp_path / 'model.safetensors')
  path.touch()
  monkeypatch.setitem(sys.modules, 'safetensors', None)
  with pytest.raises(errors.UserError, match='pip install safetensors'):
    model_lib.load(path)


def test_the_command_goes_from_a_run_to_a_file(tmp_path, capsys):
  a = held('ae')
  tiny_trained.workdir(tmp_path / 'run', a)
  path = tmp_path / 'deep' / 'model.safetensors'
  commands.run(['export', f'--workdir={tmp_path / "run"}', f'--output={path}'])
  assert capsys.readouterr().out == (
      f'{path}: <digits-ae, step 3: 8x8x1 -> 2>\n')
  assert digests.summary(model_lib.load(path).saved.variables) == (
      digests.summary(a.variables))
  with pytest.raises(SystemExit) as found:
    commands.run(['export', f'--workdir={tmp_path}', '--output=model.onnx'])
  assert found.value.code == 2
  assert 'end it in .safetensors or .stablehlo' in capsys.readouterr().err
