"""From the wheel to a trained system, in clean environments, by pip."""
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
LOSS = '''
import sys
import jax
from swae_jax import losses, priors
z = priors.normal().sample(jax.random.key(0), 256, 8)
theta = priors.directions(jax.random.key(1), 50, 8)
assert losses.sliced_wasserstein(z, z, theta) == 0
assert abs(losses.sliced_wasserstein(z, z + 1, theta) - 1) < .3
print(losses.__file__)
'''


def run(*args, folder, code=0):
  # Nothing of this checkout must be found.
  kept = {k: v for k, v in os.environ.items()
          if k not in ('PYTHONPATH', 'VIRTUAL_ENV')}
  found = subprocess.run(list(map(str, args)), capture_output=True, text=True,
                         cwd=folder, env={**kept, 'JAX_PLATFORMS': 'cpu'})
  assert found.returncode == code, found.stdout[-2000:] + found.stderr[-2000:]
  return found


@pytest.fixture(name='wheel', scope='module')
def build(tmp_path_factory):
  folder = tmp_path_factory.mktemp('wheel')
  # A build leaves files beside the sources, and takes what it finds there.
  names = run('git', 'ls-files', folder=ROOT).stdout.split()
  for name in (n for n in names if n.startswith(('swae_jax', 'configs'))
               or '/' not in n):
    (folder / 'source' / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / name, folder / 'source' / name)
  run(sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '.', '-w',
      folder, folder=folder / 'source')
  wheel, = folder.glob('*.whl')
  return wheel


@pytest.mark.slow
def test_the_wheel_has_all_that_is_not_code(wheel):
  names = zipfile.ZipFile(wheel).namelist()
  for ending in ('swae_jax/py.typed', 'paper_tables.csv', 'report.html.jinja',
                 'licenses/LICENSE', 'share/swae_jax/configs/celeba.py'):
    assert any(name.endswith(ending) for name in names), ending
  assert not any('tests' in name for name in names)


@pytest.mark.slow
def test_from_the_wheel_to_a_trained_system(wheel, tmp_path):
  swae = tmp_path / 'env' / 'bin' / 'swae'
  python = swae.with_name('python')
  pip = python, '-m', 'pip', 'install', '--quiet'
  run(sys.executable, '-m', 'venv', tmp_path / 'env', folder=tmp_path)

  run(*pip, wheel, folder=tmp_path)
  packages = run(python, '-m', 'pip', 'freeze', folder=tmp_path).stdout
  assert 'flax' not in packages and 'orbax' not in packages
  place = run(python, '-c', LOSS, folder=tmp_path).stdout
  assert place.startswith(str(tmp_path / 'env'))
  assert 'verify' in run(swae, '--help', folder=tmp_path).stdout
  assert 'NO: flax' in run(swae, 'doctor', folder=tmp_path, code=2).stdout
  error = run(swae, 'train', folder=tmp_path, code=2).stderr
  assert error.endswith("pip install 'swae_jax[train]'\n")
  assert len(error.splitlines()) == 1

  run(*pip, f'{wheel}[train]', folder=tmp_path)
  run(swae, 'doctor', folder=tmp_path)
  mine = tmp_path / 'elsewhere' / 'mine.py'
  mine.parent.mkdir()
  shutil.copy(ROOT / 'configs' / 'digits.py', mine)
  for config in (mine, 'configs/digits.py'):  # One's own, and the shipped one.
    workdir = tmp_path / f'run-{pathlib.Path(config).stem}'
    run(swae, 'train', f'--config={config}', '--config.train.epochs=2',
        f'--workdir={workdir}', folder=tmp_path)
    assert (workdir / 'results.json').exists()
  run(swae, 'verify', f'--workdir={workdir}', folder=tmp_path)
  run(swae, 'report', f'--workdir={workdir}', folder=tmp_path)
  run(swae, 'eval', f'--workdir={workdir}', '--config.evals.latent.run=True',
      folder=tmp_path)
  run(swae, 'apply', 'sample', f'--workdir={workdir}', '--output=a.png',
      folder=tmp_path)
  run(swae, 'tables', '--table=swae_table1', '--workdir=tables', '--list',
      folder=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('oldest', ['jax==0.8.0'])
def test_losses_work_with_the_oldest_jax(oldest, wheel, tmp_path):
  python = tmp_path / 'env' / 'bin' / 'python'
  run(sys.executable, '-m', 'venv', tmp_path / 'env', folder=tmp_path)
  run(python, '-m', 'pip', 'install', '--quiet', wheel, oldest, folder=tmp_path)
  run(python, '-c', LOSS, folder=tmp_path)
