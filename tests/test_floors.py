"""The floors of the house: a room imports only rooms above it in this list."""
import ast
import pathlib
import re
import subprocess
import sys

import pytest

import swae_jax

ROOT = pathlib.Path(swae_jax.__file__).parent
OPEN_TO_ALL = ('errors', 'options')
FLOORS = ('losses', 'priors', 'networks', 'systems', 'data', 'evals', 'host',
          'workdir', 'training', 'model', 'commands', 'main', '__main__')


def rooms(path):
  """Names of the rooms of the package that a file imports."""
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.ImportFrom) and node.module:
      if node.module == 'swae_jax':
        yield from (alias.name for alias in node.names)
      elif node.module.startswith('swae_jax.'):
        yield node.module.split('.')[1]
    elif isinstance(node, ast.Import):
      yield from (alias.name.split('.')[1] for alias in node.names
                  if alias.name.startswith('swae_jax.'))


def room(path):
  return path.relative_to(ROOT).parts[0].removesuffix('.py')


MODULES = [p for p in sorted(ROOT.rglob('*.py')) if p != ROOT / '__init__.py']


@pytest.mark.parametrize('path', MODULES,
                         ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_up_the_list(path):
  for there in set(rooms(path)) - {room(path), *OPEN_TO_ALL, '__version__'}:
    assert room(path) not in OPEN_TO_ALL
    assert FLOORS.index(there) < FLOORS.index(room(path)), there


def test_the_list_is_the_house():
  assert {room(path) for path in MODULES} == {*FLOORS, *OPEN_TO_ALL}


def test_the_tree_of_the_readme_is_the_house():
  text = (ROOT.parent / 'README.md').read_text()
  tree = text[text.index('swae_jax/\n'):]
  names = re.findall(r'^  (\w+)(?:/|\.py)', tree[:tree.index('```')], re.M)
  assert {*FLOORS, *OPEN_TO_ALL} == {*names} - {'__init__'}


@pytest.mark.parametrize('module', ['losses', 'priors'])
def test_the_ground_floor_needs_only_jax(module):
  code = f'''
import sys, swae_jax, swae_jax.{module}
heavy = {{'flax', 'optax', 'orbax', 'ml_collections', 'chex', 'sklearn',
         'matplotlib', 'PIL', 'tensorflow', 'absl', 'rich', 'ott'}}
sys.exit(', '.join(
    sorted(heavy & {{m.split('.')[0] for m in sys.modules}})) or 0)
'''
  found = subprocess.run([sys.executable, '-c', code], cwd=ROOT.parent,
                         capture_output=True, text=True, check=False)
  assert found.returncode == 0, found.stderr
