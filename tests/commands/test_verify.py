"""What a run has left, looked through; and what a run would cost."""
import gc

import pytest

from swae_jax import errors
from swae_jax.commands import verify
from swae_jax.training import dry_run, train
import tiny


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  there = tmp_path_factory.mktemp('verify') / 'run'
  train.run(tiny.config(), there)
  return there


def faults(workdir):
  return {what: fault for what, fault in verify.verify(workdir) if fault}


def test_a_whole_run_is_whole(workdir):
  assert [what for what, fault in verify.verify(workdir)] == [
      'config.json', 'run.json', 'results.json', 'metrics.jsonl',
      'valid.jsonl', 'checkpoints/5', 'checkpoints/10']
  assert not faults(workdir)


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.parametrize('file,change,words', [
    ('metrics.jsonl', lambda text: text + text, 'step 2 comes after 10'),
    ('metrics.jsonl', lambda text: text[:-3], 'line 5 is damaged'),
    ('results.json', lambda text: text[1:], 'no JSON'),
    ('checkpoints/5/variables/manifest.ocdbt', lambda text: '', '5 is damag')])
def test_what_is_damaged_is_named(file, change, words, workdir):
  path = workdir / file
  content = path.read_bytes()
  path.write_text(change(content.decode('latin1')))
  found = faults(workdir)
  path.write_bytes(content)
  assert len(found) == 1 and words in ''.join(found.values())
  gc.collect()


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
