"""Every config file, for every setting that it has."""
import functools
import inspect
import re
import runpy

from absl import flags
import jax
from ml_collections import config_flags
import numpy as np
import pytest

from swae_jax import data, errors
from swae_jax.data import base as data_base
from swae_jax.training import build, presets, shipped
from swae_jax.training import step as step_lib

# Training sets that have to be downloaded: [N, H, W, C].
SHAPES = {
    'mnist': (50000, 28, 28, 1), 'fashion_mnist': (50000, 28, 28, 1),
    'coil20': (1040, 32, 32, 1), 'cifar10': (40000, 32, 32, 3),
    'cifar10_sub': (12000, 32, 32, 3), 'celeba': (162770, 64, 64, 3),
    'folder': (600, 64, 64, 3)}
MODULES = {p.stem: runpy.run_path(str(p))
           for p in sorted(shipped.find('digits').parent.glob('*.py'))
           if p.stem != '__init__'}
files = pytest.mark.parametrize('file', MODULES)


def get(file, *setting):
  return MODULES[file]['get_config'](*setting)


def settings(file):
  """The settings of --config=configs/<file>.py:<setting>."""
  own = MODULES[file]['SETTINGS']
  return list(own if file == 'synthetic' else {**presets.SETTINGS, **own})


def default(file):
  """The setting that is taken without a name."""
  parameter, = inspect.signature(
      MODULES[file]['get_config']).parameters.values()
  return parameter.default


CASES = [(file, name) for file in MODULES for name in settings(file)]
# A file changes little of a system, so one shows nearly all that all do.
TRACED = [pytest.param(file, name, marks=[] if file == 'mnist' or
                       name == default(file) else pytest.mark.slow)
          for file, name in CASES]


@pytest.fixture(name='run_of')
def run_on_blank_images(monkeypatch):
  """file, setting -> its Run on blank images in place of missing files."""
  def blank(make, name):
    @functools.wraps(make)
    def made(**options):
      del options
      n, *shape = SHAPES[name]
      split = data_base.Split(
          np.broadcast_to(np.uint8(0), (n, *shape)), np.zeros(n, np.int32))
      return data_base.Dataset(name, split, split, split, binarize=False,
                               bounded=True, classes=1, provenance={})
    return made

  # To read gigabytes of zeros would take seconds.
  monkeypatch.setattr(
      data_base, 'fingerprint', lambda dataset: {'sha256': dataset.name})
  for name in SHAPES:
    monkeypatch.setitem(data.DATASETS, name, blank(data.DATASETS[name], name))

  def run(file, name):
    config = get(file, name)
    config.devices = 1
    return build.build(config)

  return run


@pytest.mark.parametrize('file, name', CASES)
def test_a_config_is_that_of_a_run(file, name, run_of):
  assert run_of(file, name).steps >= 100


@pytest.mark.parametrize('file, name', TRACED)
def test_a_run_can_take_a_step(file, name, run_of):
  run = run_of(file, name)
  x = jax.ShapeDtypeStruct(
      (run.system.examples, *run.dataset.train.images.shape[1:]), 'float32')
  state = jax.eval_shape(functools.partial(
      step_lib.init, run.system, run.tx), jax.random.key(0), x)
  after, metrics = jax.eval_shape(
      build.step(run), state, run.dataset.train.images,
      np.zeros(run.config.train.batch_size, np.int32))
  assert jax.tree.structure(after) == jax.tree.structure(state)
  assert metrics['loss'].shape == ()


@files
def test_a_name_is_optional(file):
  assert default(file) in settings(file)
  assert get(file) == get(file, default(file))


def test_no_two_runs_share_a_workdir():
  found = [get(file, name).name for file, name in CASES]
  assert len(set(found)) == len(CASES)


@files
def test_an_unknown_setting_is_one_line(file):
  with pytest.raises(errors.UserError, match='sawe') as e:
    get(file, 'sawe')
  assert '\n' not in str(e.value)
  assert all(name in str(e.value) for name in MODULES[file]['SETTINGS'])


@files
def test_the_docstring_opens_with_a_command(file):
  title, command = MODULES[file]['__doc__'].split('\n\n')[:2]
  assert '\n' not in title and title.endswith('.')
  assert re.match(r'python -m swae_jax\.main '
                  rf'--config=configs/{file}\.py(:\w+)?( |\n|$)', command)


@files
def test_the_docstring_names_options_and_settings_that_exist(file):
  text = MODULES[file]['__doc__']
  for path, name in re.findall(r'--config=configs/(\w+)\.py(?::(\w+))?', text):
    get(path, *[name] if name else [])
  for option in re.findall(r'--config\.([\w.]+)=', text):
    for name in settings(file):
      value = get(file, name)
      for part in option.split('.'):
        value = value[part]


@pytest.mark.filterwarnings('ignore:the load_module')  # from ml_collections
@pytest.mark.parametrize('text, value', [
    ('False', False), ('false', False), ('0', False), ('True', True)])
def test_a_switch_on_the_command_line_is_read_as_one(text, value):
  """argparse with type=bool takes every word as true."""
  values = flags.FlagValues()
  argv = ['main', f'--config={shipped.find("mnist")}',
          f'--config.data.mnist.binarize={text}']
  config_flags.DEFINE_config_file(
      'config', flag_values=values, sys_argv=argv)
  values(argv)
  assert values.config.data.mnist.binarize is value
