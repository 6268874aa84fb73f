"""The floors of the house: a module imports only what lies below it."""
import ast
import pathlib
import subprocess
import sys

import pytest

import swae_jax

ROOT = pathlib.Path(swae_jax.__file__).parent
FLOORS = [
    {'cluster', 'digests', 'errors', 'faults', 'lease', 'losses', 'priors',
     'signals', 'storage'},
    {'lock', 'networks', 'optimizers', 'watchdog'},
    {'systems', 'data'},
    {'evals', 'mesh', 'step'},
    {'build', 'checkpoint', 'record', 'progress'},
    {'evaluate', 'keep', 'resume', 'rows', 'validation'},
    {'saved', 'train'},
    {'dry_run', 'grid', 'trained'},
    {'command', 'tabulate'},
    {'apply', 'doctor', 'export', 'main', 'prepare', 'report', 'tables',
     'verify'},
]
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}
OPEN_TO_ALL = {'errors'}


def imported(path):
  """Names of modules of the package that a file imports."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.ImportFrom) and node.module:
      if node.module == 'swae_jax':
        yield from (alias.name for alias in node.names)
      elif node.module.startswith('swae_jax.'):
        yield node.module.split('.')[1]
    elif isinstance(node, ast.Import):
      yield from (alias.name.split('.')[1] for alias in node.names
                  if alias.name.startswith('swae_jax.'))


def modules():
  return [p for p in sorted(ROOT.rglob('*.py'))
          if p != ROOT / '__init__.py']


@pytest.mark.parametrize('path', modules(), ids=lambda p: str(
    p.relative_to(ROOT)))
def test_imports_go_down(path):
  here = path.relative_to(ROOT).parts[0].removesuffix('.py')
  for there in imported(path):
    if there != here and there not in OPEN_TO_ALL:
      assert FLOOR[there] < FLOOR[here], f'{path} imports {there}'


def test_every_module_has_a_floor():
  names = {p.relative_to(ROOT).parts[0].removesuffix('.py') for p in modules()}
  assert names == FLOOR.keys()


@pytest.mark.parametrize('module', ['losses', 'priors'])
def test_the_ground_floor_needs_only_jax(module):
  code = f'''
import sys, swae_jax, swae_jax.{module}
heavy = {{'flax', 'optax', 'orbax', 'ml_collections', 'chex', 'sklearn',
         'matplotlib', 'PIL', 'tensorflow'}}
sys.exit(', '.join(
    sorted(heavy & {{m.split('.')[0] for m in sys.modules}})) or 0)
'''
  found = subprocess.run([sys.executable, '-c', code], cwd=ROOT.parent,
                         capture_output=True, text=True, check=False)
  assert found.returncode == 0, found.stderr
