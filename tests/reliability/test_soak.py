"""A little of the soak, as the nightly script runs it."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0 or not shutil.which('strace'),
                    reason='needs root, strace and a compiler')
def test_a_little_of_what_comes_from_outside(tmp_path):
  kinds = ('small_disks', 'few_inodes', 'read_only', 'lost_outputs', 'moved',
           'sigterms_slow_storage', 'sigterms_bad_storage', 'clocks')
  found = subprocess.run(
      [sys.executable, HERE / 'soak.py', '--seed=0', f'--out={tmp_path}/out',
       *(f'--{kind}=1' for kind in kinds)],
      capture_output=True, text=True, check=False)
  assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]


@pytest.mark.slow
def test_a_little_of_everything(tmp_path):
  out = tmp_path / 'totals.json'
  command = [sys.executable, HERE / 'soak.py', '--seed=0', f'--out={out}',
             '--kills=3', '--kills_at_points=7', '--sigterms=3', '--sigints=2',
             '--double_starts=1', '--disk_full=2', '--nans=2', '--mutations=1']
  for times in (1, 2):  # Totals are added.
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
    totals = json.loads(out.read_text())['totals']
    assert totals['kills'] == {'injected': 3 * times, 'failed': 0}
    assert totals['flipped']['injected'] > 0
