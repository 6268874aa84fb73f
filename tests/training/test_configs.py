"""Every config file, for every name that it takes."""
import ast
import functools
import importlib
import inspect
import pathlib
import re

from absl import flags
import jax
import ml_collections
from ml_collections import config_flags
import numpy as np
import pytest

from configs import base, systems
from swae_jax import data, errors, evals, networks, priors, systems
from swae_jax.data import base as data_base
from swae_jax.training import build, optimizers
from swae_jax.training import step as step_lib

ROOT = pathlib.Path(__file__).parent.parent
FILES = sorted(p.stem for p in (ROOT / 'configs').glob('*.py')
               if p.stem not in ('base', 'systems'))
# Training sets that have to be downloaded: [N, H, W, C].
SHAPES = {
    'mnist': (50000, 28, 28, 1), 'fashion_mnist': (50000, 28, 28, 1),
    'coil20': (1040, 32, 32, 1), 'cifar10': (40000, 32, 32, 3),
    'cifar10_sub': (12000, 32, 32, 3), 'celeba': (162770, 64, 64, 3),
    'folder': (600, 64, 64, 3)}


def load(file):
  return importlib.import_module(f'configs.{file}')


def names(file):
  """What can follow --config=configs/<file>.py and a colon."""
  return list(getattr(load(file), 'SETS', systems.SYSTEMS))


def default(file):
  """What it is without."""
  parameter, = inspect.signature(load(file).get_config).parameters.values()
  return parameter.default


CASES = [(file, name) for file in FILES for name in names(file)]
# A file changes little of a system, so one shows nearly all that all do.
TRACED = [pytest.param(file, name, marks=[] if file == 'mnist' or
                       name == default(file) else pytest.mark.slow)
          for file, name in CASES]


@pytest.fixture
def datasets(monkeypatch):
  """Blank images in the place of files that are not there."""
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

  for name in SHAPES:
    monkeypatch.setitem(data.DATASETS, name, blank(data.DATASETS[name], name))


def made(file, name):
  """The config, and the run that it asks for."""
  config = load(file).get_config(name)
  config.devices = 1
  return config, build.build(config)


@pytest.mark.parametrize('file, name', CASES)
def test_a_config_is_that_of_a_run(file, name, datasets):
  _, run = made(file, name)
  assert run.steps >= 100


@pytest.mark.parametrize('file, name', TRACED)
def test_a_run_can_take_a_step(file, name, datasets):
  config, run = made(file, name)
  x = jax.ShapeDtypeStruct(
      (run.system.examples, *run.dataset.train.images.shape[1:]), 'float32')
  shapes = lambda fn, *args: jax.eval_shape(fn, *args)
  state = shapes(functools.partial(
      step_lib.init, run.system, run.tx, config.seed), x)
  after, metrics = shapes(
      build.step(run), state, run.dataset.train.images,
      np.zeros(config.train.batch_size, np.int32))
  assert jax.tree.structure(after) == jax.tree.structure(state)
  assert metrics['loss'].shape == ()


def sections(config):
  """(registry, name, options) of all that a config names."""
  yield data.DATASETS, config.data
  yield networks.NETWORKS, config.network
  yield priors.PRIORS, config.prior
  yield systems.SYSTEMS, config.system
  for options in config.optimizers.values():
    yield optimizers.SCHEDULES, options.schedule
    options = options.copy_and_resolve_references()
    del options.schedule, options.learning_rate
    yield optimizers.OPTIMIZERS, options
  for name, options in config.evals.items():
    options = ml_collections.ConfigDict({'name': name, **options})
    del options.run
    yield evals.EVALS, options


def check_options(config):
  """All options of each function are there, with values of the right type."""
  for registry, options in sections(config):
    options = options.to_dict()
    parameters = inspect.signature(registry[options.pop('name')]).parameters
    known = {p.name: p.default for p in parameters.values()
             if p.kind is p.KEYWORD_ONLY}
    assert options.keys() == known.keys()
    for option, value in options.items():
      # The command line takes values of the type that stands in the config.
      assert type(value) is type(known[option]), option


@pytest.mark.parametrize('file, name', CASES)
def test_each_option_is_one_of_its_function(file, name):
  check_options(load(file).get_config(name))


@pytest.mark.parametrize('dataset', data.DATASETS)
def test_every_data_set_has_options(dataset):
  check_options(systems.get_config(dataset, 'swae'))


@pytest.mark.parametrize('file', FILES)
def test_a_name_is_optional(file):
  assert default(file) in names(file)
  assert load(file).get_config() == load(file).get_config(default(file))


def test_no_two_runs_share_a_workdir():
  found = [load(file).get_config(name).name for file, name in CASES]
  assert len(set(found)) == len(CASES)


@pytest.mark.parametrize('file', FILES)
def test_an_unknown_name_is_one_line(file):
  with pytest.raises(errors.UserError, match="'sawe'") as e:
    load(file).get_config('sawe')
  assert '\n' not in str(e.value)
  assert all(name in str(e.value) for name in names(file))


@pytest.mark.parametrize('file', FILES)
def test_the_docstring_opens_with_a_command(file):
  title, command = load(file).__doc__.split('\n\n')[:2]
  assert '\n' not in title and title.endswith('.')
  assert re.match(r'python -m swae_jax\.main '
                  rf'--config=configs/{file}\.py(:\w+)?( |\n|$)', command)


@pytest.mark.parametrize('file', FILES)
def test_what_the_docstring_names_is_there(file):
  text = load(file).__doc__
  for path, name in re.findall(r'--config=configs/(\w+)\.py(?::(\w+))?', text):
    load(path).get_config(*[name] if name else [])
  found = [load(file).get_config(name).to_dict() for name in names(file)]
  for option in re.findall(r'--config\.([\w.]+)=', text):
    for value in found:
      for part in option.split('.'):
        value = value[part]


def test_options_refuse_what_the_function_does_not_take():
  with pytest.raises(errors.UserError, match="swae has no option 'bta'") as e:
    base.options(systems.SYSTEMS, 'swae', beta=.1, bta=.2)
  assert '\n' not in str(e.value)
  with pytest.raises(errors.UserError, match="'network'"):
    base.options(systems.SYSTEMS, 'swae', network=None)
  with pytest.raises(errors.UserError, match="'momentum'"):
    base.optimizer('adam', momentum=.9)


def test_options_are_the_defaults_but_for_what_is_given():
  options = base.options(systems.SYSTEMS, 'swae', beta=.1)
  defaults = base.options(systems.SYSTEMS, 'swae')
  assert options.beta == .1 != defaults.beta and options.name == 'swae'
  options.beta = defaults.beta
  assert options == defaults


def assigned(function):
  """(name, line) of the options that are set to something plain."""
  for node in ast.walk(function):
    if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call):
      for target in node.targets:
        yield ast.unparse(target), node.lineno


def test_every_option_of_the_base_has_a_comment():
  source = (ROOT / 'configs' / 'base.py').read_text()
  lines = source.splitlines()
  function, = [node for node in ast.parse(source).body
               if getattr(node, 'name', '') == 'get_config']
  found = [(name, line) for name, line in assigned(function)
           if re.fullmatch(r'config\.[a-z_.]+', name)]
  assert {'config.seed', 'config.train.epochs'} <= {name for name, _ in found}
  for name, line in found:
    above = lines[line - 2].strip()
    assert '  # ' in lines[line - 1] or above.startswith('#'), name


@pytest.mark.filterwarnings('ignore:the load_module')  # Of ml_collections.
@pytest.mark.parametrize('text, value', [
    ('False', False), ('false', False), ('0', False), ('True', True)])
def test_a_switch_on_the_command_line_is_read_as_one(text, value):
  """Of argparse with type=bool every word is true."""
  values = flags.FlagValues()
  argv = ['main', '--config=configs/mnist.py',
          f'--config.data.binarize={text}']
  config_flags.DEFINE_config_file(
      'config', flag_values=values, sys_argv=argv)
  values(argv)
  assert values.config.data.binarize is value
