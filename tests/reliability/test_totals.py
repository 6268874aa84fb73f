"""The README shows the counts of results/reliability.json."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import totals  # noqa: E402


def test_the_readme_shows_the_totals():
  counted = json.loads(totals.PATH.read_text())['totals']
  assert totals.BEGIN + totals.table(counted) + totals.END in (
      totals.README.read_text())
  assert counted.keys() <= {kind for kinds in totals.ROWS.values()
                            for kind in kinds}


def test_totals_are_added_and_shown(tmp_path, monkeypatch):
  path, readme = tmp_path / 'totals.json', tmp_path / 'README.md'
  readme.write_text(f'above\n{totals.BEGIN}old\n{totals.END}below\n')
  monkeypatch.setattr(totals, 'PATH', path)
  monkeypatch.setattr(totals, 'README', readme)
  totals.merge(path, {'kills': {'injected': 2, 'failed': 0},
                      'emptied': {'injected': 3, 'failed': 1}})
  totals.merge(path, {'kills': {'injected': 5, 'failed': 1},
                      'flipped': {'injected': 1, 'failed': 0},
                      'halved': {'injected': 4, 'failed': 0}})
  lines = readme.read_text().splitlines()
  assert lines[0] == 'above' and lines[-1] == 'below' and 'old' not in lines
  assert '| SIGKILL at a random moment | 7 | 1 |' in lines
  assert '| a file of a checkpoint cut off or deleted | 7 | 1 |' in lines
  assert '| a bit flipped in a file of a checkpoint | 1 | 0 |' in lines
