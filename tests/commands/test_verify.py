"""The files of a run are checked, and a dry run leaves none."""
import gc
import os

import pytest

from swae_jax import errors, model
from swae_jax.commands import verify
from swae_jax.training import dry_run, train
import tiny


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  there = tmp_path_factory.mktemp('verify') / 'run'
  train.run(tiny.config(), there)
  return there


def test_a_whole_run_is_whole(workdir, capsys):
  verify.main([f'--workdir={workdir}'])
  lines = [line.split() for line in capsys.readouterr().out.splitlines()]
  assert lines[:-3] == [[name, 'ok'] for name in (
      'config.json', 'run.json', 'checkpoints/5', 'checkpoints/10',
      'metrics.jsonl', 'valid.jsonl', 'results.json')]
  assert [name for name, _ in lines[-3:]] == ['run', 'config', 'data']


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.parametrize('file,change,words', [
    ('metrics.jsonl', lambda text: text + text, 'step 2 comes after 10'),
    ('metrics.jsonl', lambda text: text[:-3], '5 lines were there, 4 are left'),
    ('results.json', lambda text: text[1:], 'is damaged (Extra data'),
    ('checkpoints/5/variables/manifest.ocdbt', lambda text: '', '5 is damag')])
def test_what_is_damaged_is_named(file, change, words, workdir, capsys):
  path = workdir / file
  content = path.read_bytes()
  path.write_text(change(content.decode('latin1')))
  with pytest.raises(errors.DamagedData, match='1 damaged, first') as e:
    verify.main([f'--workdir={workdir}'])
  path.write_bytes(content)
  gc.collect()
  lines = capsys.readouterr().out.splitlines()
  faults = [line for line in lines if not line.endswith(' ok')]
  assert len(faults) == 1 and len(lines) == 7 and e.value.code == 65
  assert faults[0].split()[0] in file and words in faults[0]


def test_a_pipe_in_a_run_is_not_opened(tmp_path):
  (tmp_path / 'config.json').write_text('{}')
  os.mkfifo(tmp_path / 'pipe')
  (tmp_path / 'results.json').symlink_to('pipe')
  with pytest.raises(errors.DamagedData, match='no plain file'):
    verify.main([f'--workdir={tmp_path}'])
  with pytest.raises(errors.DamagedData, match='no plain file'):
    model.load(tmp_path)
  with pytest.raises(errors.DamagedData, match='no plain file'):
    train.run(tiny.config(), tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path):
  with pytest.raises(errors.UserError, match='holds no run'):
    list(verify.verify(tmp_path))


def test_a_dry_run_tells_and_writes_nothing(tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  dry_run.dry_run(tiny.config(), '')
  out = capsys.readouterr().out
  for words in ('memory  ', 'MiB of checkpoints', 'ms a step', 'loss  '):
    assert words in out
  assert not list(tmp_path.iterdir())
