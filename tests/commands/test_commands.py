"""The console script: what it lists, refuses and needs."""
import os
import pathlib
import subprocess
import sys

import pytest

import swae_jax
from swae_jax import __main__ as commands
from swae_jax import errors

ROOT = pathlib.Path(swae_jax.__file__).parent.parent


def swae(*args, folder=ROOT, **variables):
  return subprocess.run(
      [sys.executable, '-m', 'swae_jax', *args], capture_output=True, text=True,
      cwd=folder, env={**os.environ, 'PYTHONPATH': str(ROOT), **variables})


@pytest.fixture
def bare(tmp_path):
  """A folder for PYTHONPATH in which no package of any extra can be loaded."""
  for name in errors.EXTRAS:
    (tmp_path / f'{name}.py').write_text(
        f'raise ModuleNotFoundError("No module", name={name!r})')
  return f'{tmp_path}:{ROOT}'


def test_help_lists_every_command_and_loads_no_package(bare, tmp_path):
  found = swae('--help', folder=tmp_path, PYTHONPATH=bare)
  assert found.returncode == 0, found.stderr
  for name in commands.COMMANDS:
    assert f'\n  {name:9}' in found.stdout
  assert max(map(len, found.stdout.splitlines())) <= 80


@pytest.mark.parametrize('name', sorted(
    commands.COMMANDS.keys() - {'doctor'}))
def test_a_missing_package_is_one_line(name, bare, tmp_path):
  more = ['--output=x.safetensors'] if name == 'export' else []
  found = swae(name, '--workdir=x', *more, folder=tmp_path, PYTHONPATH=bare)
  assert found.returncode == 2 and not found.stdout, found.stderr
  assert found.stderr.startswith('swae_jax: the package ')
  assert found.stderr.endswith(
      " is not installed: pip install 'swae_jax[train]'\n")
  assert len(found.stderr.splitlines()) == 1


def test_the_doctor_starts_with_nothing_installed(bare, tmp_path):
  found = swae('doctor', folder=tmp_path, PYTHONPATH=bare)
  assert found.returncode == 2
  assert 'NO: jax is not installed, so the devices' in found.stdout
  assert found.stderr.startswith('swae_jax: ')


def test_loading_a_model_says_which_package_is_missing(bare):
  found = subprocess.run(
      [sys.executable, '-c', '''
import swae_jax
try:
  swae_jax.load("run")
except ImportError as e:
  print(e)
'''], capture_output=True, text=True, env={**os.environ, 'PYTHONPATH': bare})
  assert found.stdout.endswith("pip install 'swae_jax[train]'\n"), found.stderr


@pytest.mark.parametrize('name', commands.COMMANDS)
def test_every_command_has_help(name, capfd):
  with pytest.raises(SystemExit) as end:
    commands.run([name, '--help'])
    sys.exit(0)  # `train` and `eval` print and return.
  out, err = capfd.readouterr()
  assert end.value.code == 0 and not err
  assert '--workdir' in out or '--data_dir' in out or 'encode' in out
  assert max(map(len, out.splitlines())) <= 80


def test_nobody_reads_the_output():
  read, write = os.pipe()
  os.close(read)
  found = subprocess.run([sys.executable, '-m', 'swae_jax', '--help'], cwd=ROOT,
                         stdout=write, stderr=subprocess.PIPE, text=True)
  os.close(write)
  assert found.returncode == 141 and not found.stderr
