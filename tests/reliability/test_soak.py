"""A little of the soak, as the nightly script runs it."""
import json
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


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
