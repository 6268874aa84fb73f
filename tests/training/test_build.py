"""Configs that fit the number of training images."""
import json
import types

import numpy as np
from PIL import Image
import pytest

from configs import folder
from swae_jax import errors
from swae_jax.training import build, choice, evaluation, saved


@pytest.fixture(name='few')
def pictures(tmp_path):
  for i in range(30):
    Image.new('L', (8, 8), i).save(tmp_path / f'{i}.png')
  return tmp_path


def config(setting, path):
  made = folder.get_config(setting)
  made.devices = 1
  made.data.dir = str(path)
  made.data.folder.size = 8
  made.network.name = 'mlp'
  return choice.chosen(made)


@pytest.mark.parametrize('setting, option', [
    ('swae', 'components'), ('wae_mmd/reference_code', 'pretrain_examples')])
def test_the_folder_config_fits_few_pictures(few, setting, option):
  given = config(setting, few)
  run = build.build(given)
  own = run.config.system[run.config.system.name]
  assert run.config.train.batch_size == own[option] == run.system.examples == 24
  assert run.steps_per_epoch == 1
  assert run.dataset.provenance['read'] == [
      '30 pictures read', 'converted: 30 (grey made colour): 0.png, ...',
      'config.train.batch_size is 24, since there are 24 training images',
      f'config.system.{run.config.system.name}.{option} is 24, since there are '
      '24 training images']
  # A run keeps the config as given, and is loaded without the pictures.
  assert given.train.batch_size == 100
  about = {'config': given.to_dict(), 'steps_per_epoch': 1,
           'input': evaluation.inputs(run.dataset)}
  assert saved.system(about)[0].examples == 24


def test_a_run_keeps_nothing_of_the_environment_but_what_is_listed(
    few, monkeypatch):
  monkeypatch.setenv('A_TOKEN', 'hunter2')
  monkeypatch.setenv('HOME', str(few.parent))
  given = config('swae', f'~/{few.name}')
  run = build.build(given)
  state = types.SimpleNamespace(variables=types.SimpleNamespace(params={}))
  about = evaluation.provenance(run, state)
  assert about.keys() == {
      'versions', 'python', 'devices', 'processes', 'data', 'input',
      'steps_per_epoch', 'parameters'}
  text = json.dumps(about)
  for secret in ('hunter2', 'A_TOKEN', str(few.parent)):
    assert secret not in text
  assert about['data']['files']['pictures']['path'] == f'~/{few.name}'


def test_without_fit_too_much_is_refused_and_the_flag_is_named(few):
  given = config('swae', few)
  given.fit = False
  with pytest.raises(errors.UserError, match='--config.train.batch_size=100'):
    build.build(given)
  given.train.batch_size = 8
  with pytest.raises(errors.UserError, match='components=100.*24 or fewer'):
    build.build(given)


def test_a_batch_that_fits_does_not_depend_on_the_devices():
  given = folder.get_config('vampprior')
  given = choice.chosen(given)
  sizes = [build.fitted(given, size)[0].train.batch_size
           for size in (3, 8, 31, 99, 100, 1000)]
  np.testing.assert_array_equal(sizes, [3, 8, 24, 96, 100, 100])
