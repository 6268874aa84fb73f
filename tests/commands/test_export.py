import hashlib
import json
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
from swae_jax.training import saved
from swae_jax.workdir import digests
import tiny


def trained(setting):
  """A system; 'dcgan' stands for one with strides and batch normalisation."""
  if setting != 'dcgan':
    return tiny_trained.held(setting)
  config = tiny.config('wae_mmd', {
      'network.name': 'dcgan', 'network.dcgan.filters': 8,
      'network.mlp.hidden': 300})  # the default: it is not chosen
  return tiny_trained.of_config(config, shape=[28, 28, 1])


@pytest.fixture(name='ae')
def exported(tmp_path):
  """A system, and the file that it is exported to."""
  a, path = trained('ae'), tmp_path / 'model.safetensors'
  export.write_safetensors(model_lib.Model(a), path)
  return a, path


@pytest.mark.parametrize('setting', ['swae', 'wae_gan', 'dcgan'])
def test_one_file_holds_every_bit(setting, tmp_path):
  a, path = trained(setting), tmp_path / 'model.safetensors'
  export.write_safetensors(model_lib.Model(a), path)
  found = model_lib.load(path).saved
  jax.tree.map(np.testing.assert_array_equal, found.variables, a.variables)
  assert digests.summary(found.variables) == digests.summary(a.variables)
  assert found.about == a.about
  assert bool(found.variables.stats) == (setting == 'dcgan')
  assert ('critic' in found.variables.params) == (setting == 'wae_gan')
  assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_flipped_bit_is_refused(ae):
  a, path = ae
  content, rng = path.read_bytes(), np.random.default_rng(0)
  for place in (*rng.integers(4000, size=20),
                *rng.integers(len(content), size=20)):
    damaged = bytearray(content)
    damaged[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(damaged)
    with pytest.raises(errors.UserError):
      saved.of_file(path)
  path.write_bytes(content[:-9])
  with pytest.raises(errors.DamagedData, match='no safetensors file'):
    saved.of_file(path)
  path.write_bytes(content)
  assert saved.of_file(path).about == a.about


def test_the_file_of_another_program_is_refused(tmp_path):
  from safetensors import numpy as safetensors
  path = tmp_path / 'other.safetensors'
  path.write_bytes(safetensors.save({'w': np.zeros(3, np.float32)}))
  with pytest.raises(errors.UserError, match='not written by'):
    model_lib.load(path)


@pytest.mark.parametrize('setting', ['swae', 'dcgan'])
def test_functions_of_any_number_of_rows_for_any_platform(setting, tmp_path):
  a, folder = trained(setting), tmp_path / 'model.stablehlo'
  export.write_stablehlo(model_lib.Model(a), folder)
  found = {path.stem: jax_export.deserialize(bytearray(path.read_bytes()))
           for path in folder.glob('*.bin')}
  assert found.keys() == {'encode', 'decode', 'sample'}
  assert json.loads((folder / 'about.json').read_text()) == a.about
  variables, o = jax.device_put(a.variables), a.system
  rng = np.random.default_rng(0)
  x = rng.random((7, *a.about['input']['shape']), np.float32)
  keys = rng.integers(2**32, size=(7, 2), dtype=np.uint32)
  decode = jax.jit(o.decode)
  z = jax.jit(o.encode)(variables, x)
  z_prior = np.concatenate([o.sample(
      variables, jax.random.wrap_key_data(key), 1) for key in keys])
  close = lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5)
  for n in (1, 3, 7):
    close(found['encode'].call(x[:n]), z[:n])
    close(found['decode'].call(z[:n]), decode(variables, z)[:n])
  close(found['sample'].call(keys), decode(variables, z_prior))
  for function in found.values():
    assert function.platforms == ('cpu', 'cuda', 'tpu')


def test_the_digests_of_the_functions_lie_beside_them(ae, tmp_path):
  folder = tmp_path / 'model.stablehlo'
  export.write_stablehlo(model_lib.Model(ae[0]), folder)
  lines = (folder / 'SHA256SUMS').read_text().splitlines()
  assert len(lines) == 4
  for line in lines:
    digest, name = line.split()
    content = (folder / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest


@pytest.mark.parametrize('package, ending', [
    ('safetensors', '.safetensors'), ('flatbuffers', '.stablehlo')])
def test_a_missing_package_is_one_line(
    tmp_path, monkeypatch, capsys, package, ending):
  tiny_trained.workdir(tmp_path / 'run', trained('ae'))
  monkeypatch.setitem(sys.modules, package, None)
  with pytest.raises(SystemExit) as found:
    commands.run(['export', f'--workdir={tmp_path / "run"}',
                  f'--output={tmp_path / "model"}{ending}'])
  err = capsys.readouterr().err
  assert found.value.code == 2
  assert f'{package} is not installed: pip install' in err
  assert len(err.splitlines()) == 1
  assert not (tmp_path / f'model{ending}').exists()


def test_reading_says_which_package_is_missing(ae, monkeypatch):
  monkeypatch.setitem(sys.modules, 'safetensors', None)
  with pytest.raises((errors.UserError, ImportError), match='safetensors'):
    model_lib.load(ae[1])


def test_the_command_goes_from_a_run_to_a_file(ae, tmp_path, capsys):
  a, _ = ae
  tiny_trained.workdir(tmp_path / 'run', a)
  path = tmp_path / 'deep' / 'model.safetensors'
  commands.run(['export', f'--workdir={tmp_path / "run"}', f'--output={path}'])
  assert capsys.readouterr().out == (
      f'{path}: <digits-ae, step 3: 8x8x1 -> 2>\n')
  assert digests.summary(model_lib.load(path).saved.variables) == (
      digests.summary(a.variables))
