"""Options by part and name: ranges, switches, and what a run keeps."""
import json
import os
import pathlib
import subprocess
import sys
import typing

import declared
import pytest

from swae_jax import errors, options
from swae_jax.training import choice, shipped
from swae_jax.training import config as config_lib

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted(p.stem for p in (ROOT / 'configs').glob('*.py')
               if p.stem != '__init__')
SECTIONS, around = declared.SECTIONS, declared.around
sections = pytest.mark.parametrize('path', SECTIONS)


def other(o):
  """A value that an option may have, and that is no default."""
  if typing.get_origin(o.kind) is typing.Literal:
    tries = typing.get_args(o.kind)
  elif typing.get_origin(o.kind) is tuple:
    tries = [o.default[:1], o.default * 2]
  else:
    tries = {bool: [True, False], str: ['elsewhere']}.get(o.kind, [
        x for k in range(1, 9)
        for x in (o.default + k, o.default / 2**k, o.default + 1 / 2**k)])
  for value in tries:
    if value == o.default:
      continue
    try:
      return options.checked('', o, value)
    except errors.UserError:
      pass
  raise AssertionError(o)


@pytest.mark.parametrize('path', [*SECTIONS, *declared.PLAIN])
def test_a_value_out_of_range_is_refused_by_its_flag(path):
  found = list(declared.options_of(path))
  assert found
  for around_it, option, o in found:
    assert options.checked(option, o, o.default) == o.default
    for value in declared.outside(o):
      config = config_lib.get_config({**around_it, option: value})
      with pytest.raises(errors.UserError) as e:
        choice.chosen(config)
      text = str(e.value)
      assert text.startswith(f'--config.{option}='), (option, value)
      assert ' must ' in text and '\n' not in text


def changed(path, name):
  """Settings by which no option of a choice has its default."""
  found = {f'{path}.{name}.{option}': other(o)
           for option, o in SECTIONS[path].own(name).items()}
  found.pop('penalty.gan.log_prior', None)  # It needs a prior with a density.
  return found


@sections
def test_a_switch_gives_the_defaults_of_the_new_part(path):
  registry = SECTIONS[path].registry
  fresh = {name: choice.chosen(config_lib.get_config(around(path, name)))
           for name in registry}
  for old in registry:
    for new in registry.keys() - {old}:
      config = config_lib.get_config(
          {**around(path, old), **changed(path, old)})
      config_lib.put(config, f'{path}.name', new)
      choice.settle(config, {f'{path}.name'})
      found = choice.chosen(config)
      assert found.to_dict() == fresh[new].to_dict(), (old, new)
      own = config_lib.at(found, path)
      assert own[new].to_dict() == config_lib.values(SECTIONS[path].own(new))
      assert own.keys() & registry.keys() == {new}


@sections
def test_an_option_of_another_choice_is_refused(path):
  registry = SECTIONS[path].registry
  for used in registry:
    for name in registry.keys() - {used}:
      for option, value in list(changed(path, name).items())[:1]:
        config = config_lib.get_config({**around(path, used), option: value})
        for refuse in (lambda c=config, o=option: choice.settle(c, {o}),
                       lambda c=config: choice.chosen(c)):
          with pytest.raises(errors.UserError) as e:
            refuse()
          assert f'--config.{option}' in str(e.value)
          assert f'--config.{path}.name={name}' in str(e.value)


@pytest.mark.parametrize('option, value, around_it, flag', [
    ('prior.name', 'ring', {'system.name': 'swae'}, 'system.name='),
    ('penalty.mmd.kernel', 'rbf', {'system.name': 'vae'}, 'system.name=wae'),
    ('optimizers.critic.learning_rate', .5, {'system.name': 'wae'},
     'penalty.name=gan'),
    ('optimizers.critic.adam.b1', .5, {}, 'penalty.name=gan'),
    ('evals.tsne.points', 77, {}, 'evals.tsne.run=True')])
def test_an_option_of_a_part_that_the_run_lacks_is_refused(
    option, value, around_it, flag):
  config = config_lib.get_config({**around_it, option: value})
  for refuse in (lambda: choice.settle(config, {option}),
                 lambda: choice.chosen(config)):
    with pytest.raises(errors.UserError, match=f'--config.{option}') as e:
      refuse()
    assert f'--config.{flag}' in str(e.value)


def test_a_switch_drops_the_parts_that_the_new_system_lacks():
  config = config_lib.get_config({
      'system.name': 'wae', 'penalty.name': 'gan', 'prior.name': 'ring',
      'optimizers.critic.learning_rate': .5, 'penalty.gan.width': 8})
  config.system.name = 'swae'
  choice.settle(config, {'system.name'})
  found = choice.chosen(config)
  assert 'prior' not in found and 'penalty' not in found
  assert set(found.optimizers) == {'model'}
  assert found == choice.chosen(config_lib.defaults())


@pytest.mark.parametrize('option', [
    'bta', 'system.swae.bta', 'network.nmae', 'system', 'evals.knnn.run',
    'optimizers.modl.name', 'train.epoch'])
def test_an_option_that_is_not_there_is_refused(option):
  with pytest.raises(errors.UserError, match=f'--config.{option}'):
    config_lib.get_config({option: 1})
  given = {}
  for key in reversed(option.split('.')):
    given = {key: given or 1}
  with pytest.raises(errors.UserError) as e:
    choice.chosen(given)
  flag = str(e.value).split('=')[0].split(': ')[0]
  assert f'--config.{option}'.startswith(flag) and len(flag) > 9


@sections
def test_a_name_that_is_not_there_is_refused_with_those_that_are(path):
  config = config_lib.get_config({**around(path), f'{path}.name': 'nothing'})
  with pytest.raises(errors.UserError, match=f'--config.{path}.name=nothing: '
                     'choose one of') as e:
    choice.chosen(config)
  assert all(name in str(e.value) for name in SECTIONS[path].registry)


def settings():
  for file in FILES:
    module = shipped.find(file)
    names = __import__('runpy').run_path(str(module))['SETTINGS']
    from swae_jax.training import presets
    known = names if file == 'synthetic' else {**presets.SETTINGS, **names}
    yield from ((file, name) for name in known)


@pytest.mark.parametrize('file', FILES)
def test_every_setting_is_chosen_and_kept(file):
  """The config.json of a run gives the same run."""
  get = shipped.get_config(file)
  for name in [name for f, name in settings() if f == file]:
    config = get(name)
    found = choice.chosen(config)
    assert choice.chosen(found) == found, name
    kept = json.loads(json.dumps(found.to_dict()))
    assert choice.chosen(kept) == found, name
    assert choice.chosen(config_lib.restore(kept)) == found, name
    # A choice on the command line that changes nothing leaves the config.
    choice.settle(config, {'seed', 'system.name', 'network.name'})
    assert choice.chosen(config) == found, name


def test_a_config_differs_from_the_defaults_by_its_settings():
  given = {'latents': 3, 'network.name': 'mlp', 'network.mlp.hidden': 7,
           'optimizers.model.schedule.name': 'step'}
  plain, found = (config_lib.flat(c.to_dict()) for c in (
      config_lib.defaults(), config_lib.get_config(given)))
  assert {k: v for k, v in found.items() if plain[k] != v} == given
  assert config_lib.get_config(given) is not config_lib.get_config(given)


def test_the_command_prints_the_parts_that_are_chosen():
  found = subprocess.run(
      [sys.executable, '-m', 'swae_jax.main', '--print_config',
       '--config=tests/tiny_config.py:wae_gan', '--config.network.name=avgpool',
       '--config.prior.name=disc', '--config.penalty.name=sliced',
       '--config.optimizers.model.schedule.name=exponential'],
      cwd=ROOT, capture_output=True, text=True, check=False,
      env={**os.environ, 'JAX_PLATFORMS': 'cpu', 'PYTHONPATH': 'tests'})
  assert found.returncode == 0, found.stderr
  words = set(found.stdout.replace(':', ' ').split())
  assert {'avgpool', 'disc', 'sliced', 'exponential', 'wae'} <= words
  assert not {'mlp', 'normal', 'gan', 'critic', 'swae', 'step'} & words
