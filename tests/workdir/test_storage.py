"""A run in a bucket is the run in a folder, also after all that goes wrong."""
import os
import pathlib
import subprocess
import sys

import pytest

from swae_jax import errors
from swae_jax import model as model_lib
from swae_jax.commands import report, verify
from swae_jax.data.formats import files as data_files
from swae_jax.training import train
from swae_jax.workdir import checkpoint, files, folder, storage
import tiny

TESTS = pathlib.Path(tiny.__file__).parent
MARK = 'runs/a/checkpoints/6/commit_success.txt'
pytestmark = pytest.mark.filterwarnings('ignore::ResourceWarning')


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
  """The workdir of a run in a folder."""
  workdir = tmp_path_factory.mktemp('straight')
  train.run(tiny.config(save_every=2), workdir)
  return workdir


@pytest.fixture
def workdir(store):
  """A run in a bucket that has come to step 6."""
  store.objects.clear()
  where = storage.path('gs://bucket/runs/a')
  train.run(tiny.config(save_every=2, steps=6), where)
  return where


@pytest.fixture
def finish(workdir, straight, capsys):
  """A function that ends the run, as the run in the folder; what it said."""
  def run():
    capsys.readouterr()
    train.run(tiny.config(save_every=2), workdir)
    same(workdir, straight)
    return capsys.readouterr().out
  return run


def same(one, two):
  a, b = (files.read_json(workdir / 'results.json') for workdir in (one, two))
  assert all(a[key] == b[key] for key in ('state_sha256', 'metrics'))
  assert ((one / 'metrics.jsonl').read_text()
          == (two / 'metrics.jsonl').read_text())


def damaged(workdir):
  return [what for what, fault in verify.verify(workdir) if fault]


def test_a_run_goes_on_and_deletes_the_older_checkpoints(store, finish):
  store.objects.pop(next(  # A kill amid a deletion does this.
      name for name in store.objects if '/checkpoints/4/' in name))
  assert 'resuming at step 6' in finish()
  steps = {name.split('/')[3] for name in store.objects
           if name.startswith('runs/a/checkpoints/')}
  assert steps == {'8', '10'}
  assert 'runs/a/lock' not in store.objects
  assert store.objects['runs/a/images/samples.png'][0].startswith(b'\x89PNG')
  before = dict(store.objects)
  assert 'already finished' in finish() and store.objects == before


@pytest.mark.slow
def test_what_was_not_committed_is_not_there(store, finish):
  del store.objects[MARK]
  store.put('runs/a/metrics.jsonl', store.objects['runs/a/metrics.jsonl'][0]
            + b'{"step": 8, "loss": 1}\n{"st')
  assert 'resuming at step 4' in finish()


def test_damage_is_seen_and_moved_aside(workdir, store, finish):
  name = max((name for name in store.objects if '/6/variables' in name),
             key=lambda name: len(store.objects[name][0]))
  content = bytearray(store.objects[name][0])
  content[len(content) // 2] ^= 1
  store.put(name, bytes(content))
  assert damaged(workdir) == ['checkpoints/6']
  said = finish()
  assert 'moved to corrupt-6; using 4' in said and 'resuming at step 4' in said
  assert store.objects[name.replace('/6/', '/corrupt-6/')][0] == content
  assert not damaged(workdir)


def test_what_cannot_be_saved_now_is_saved_later(store, finish, monkeypatch):
  def refuse(name):
    if '/checkpoints/6/' in name:
      raise OSError('quota')
  monkeypatch.setattr(checkpoint, 'PAUSES', ())
  monkeypatch.setattr(store, 'before_upload', refuse)
  del store.objects[MARK]
  assert 'save at 6 failed, last good 4, trying again at 8' in finish()


@pytest.mark.slow
def test_a_restart_moves_all_aside(workdir, store):
  before = {name for name in store.objects if '/checkpoints/' in name}
  assert folder.set_aside(workdir) == workdir / 'old-1'
  assert {name.replace('runs/a/', 'runs/a/old-1/')
          for name in before} <= store.objects.keys()
  assert not before & store.objects.keys()


@pytest.mark.slow
def test_others_can_read_it(workdir):
  assert model_lib.load(str(workdir)).sample(3, seed=0).shape[0] == 3
  assert report.write([str(workdir)]).exists()
  assert not damaged(workdir)


@pytest.mark.slow
def test_a_killed_process_goes_on(store, straight):
  store.objects.clear()
  for fault, code in (('commit:3', 137), ('none:1', 0)):
    done = subprocess.run(
        [sys.executable, TESTS / 'faults.py', '--workdir=gs://bucket/runs/b',
         '--config=tests/tiny_config.py', '--config.train.save_every=2'],
        cwd=TESTS.parent, capture_output=True, text=True, check=False, env={
            **os.environ, 'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': '1',
            'PYTHONPATH': f'{TESTS.parent}:{TESTS}', 'SWAE_JAX_FAULT': fault})
    assert done.returncode == code, done.stderr
  assert 'resuming at step 6' in done.stdout  # It has left a lease, too.
  same(storage.path('gs://bucket/runs/b'), straight)


def test_unknown_storage_and_missing_clients_are_refused(monkeypatch):
  with pytest.raises(errors.UserError, match='ftp://host/run: there is no '):
    storage.path('ftp://host/run')
  monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
  with pytest.raises(errors.UserError, match='pip install gcsfs'):
    storage.path('gs://bucket/run')


def test_folders_move_and_go(tmp_path):
  source = tmp_path / 'a'
  source.mkdir()
  (source / 'file').write_text('x')
  target = storage.move(source, tmp_path / 'b')
  assert (target / 'file').read_text() == 'x' and not source.exists()
  assert storage.free(target) > 0
  storage.remove(target)
  assert not target.exists()


def test_the_home_folder_has_its_short_name(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  assert str(storage.path('~/run')) == f'{tmp_path}/run'
  assert data_files.folders('mnist', '~')[1] == tmp_path
  with pytest.raises(errors.MissingData, match=str(tmp_path)):
    model_lib.load('~/run')


@pytest.mark.parametrize('name', [
    'a' * 256, 'a/' * 2000, 'caf\udce9', 'a\0b', '~nosuchuser/x'])
def test_a_name_that_no_file_can_have_is_refused(name):
  with pytest.raises(errors.UserError) as e:
    storage.path(name)
  assert '\n' not in str(e.value)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
  (tmp_path / 'file').touch()
  (tmp_path / 'link').symlink_to('nowhere')
  storage.check(tmp_path / 'a' / 'b', 'workdir')
  for name in ('file', 'file/a', 'link', 'link/a'):
    with pytest.raises(errors.UserError, match=f'--workdir={tmp_path}/{name}:'):
      storage.check(tmp_path / name, 'workdir')
  if os.getuid():
    (tmp_path / 'closed').mkdir(mode=0o555)
    with pytest.raises(errors.NotWritable, match='give another --workdir'):
      storage.check(tmp_path / 'closed' / 'a', 'workdir')
