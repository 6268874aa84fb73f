"""A run in a bucket is the run in a folder, also after all that goes wrong.

The clients are real, the bucket is in this process.
"""
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import bucket
import pytest

from swae_jax import errors
from swae_jax import model as model_lib
from swae_jax.commands import report, verify
from swae_jax.training import train
from swae_jax.workdir import checkpoint, files, folder, lease, lock, storage
import tiny

ROOT = pathlib.Path(loop.__file__).parent.parent


@pytest.fixture(scope='module')
def store():
  with bucket.serve() as (store, environment):
    with pytest.MonkeyPatch.context() as patch:
      for name, value in environment.items():
        patch.setenv(name, value)
      pytest.importorskip('gcsfs')  # It looks when it is imported.
      patch.setattr(lease, 'SETTLED', 0.)
      yield store


@pytest.fixture(scope='module')
def straight(tmp_path_factory):
  """(workdir, results) of a run in a folder."""
  workdir = tmp_path_factory.mktemp('straight')
  return workdir, train.run(tiny.config(save_every=2), workdir)


@pytest.fixture
def workdir(store):
  """A run in a bucket that has come to step 6."""
  store.objects.clear()
  where = 'gs://bucket/runs/a'
  train.run(tiny.config(save_every=2, steps=6), where)
  return storage.path(where)


def same(workdir, straight):
  folder, results = straight
  found = files.read_json(workdir / 'results.json')
  assert found['state_sha256'] == results['state_sha256']
  assert found['metrics'] == results['metrics']
  name = 'metrics.jsonl'
  assert (workdir / name).read_text() == (folder / name).read_text()


def finish(workdir, capsys):
  capsys.readouterr()
  train.run(tiny.config(save_every=2), workdir)
  return capsys.readouterr().out


def newest(store, kind):
  """The largest object of a kind in the newest checkpoint."""
  return max((name for name in store.objects if f'/6/{kind}' in name),
             key=lambda name: len(store.objects[name][0]))


@pytest.mark.filterwarnings('ignore::ResourceWarning')
class TestRuns:

  def test_a_run_goes_on(self, workdir, store, straight, capsys):
    assert 'resuming at step 6' in finish(workdir, capsys)
    same(workdir, straight)
    steps = {name.split('/')[3] for name in store.objects
             if name.startswith('runs/a/checkpoints/')}
    assert steps == {'8', '10'}  # The older ones are gone, with all objects.
    assert 'runs/a/lock' not in store.objects
    assert store.objects['runs/a/images/samples.png'][0].startswith(b'\x89PNG')
    before = dict(store.objects)
    assert 'already finished' in finish(workdir, capsys)
    assert store.objects == before

  def test_what_was_not_committed_is_not_there(
      self, workdir, store, straight, capsys):
    del store.objects['runs/a/checkpoints/6/commit_success.txt']
    store.objects['runs/a/metrics.jsonl'] = (
        store.objects['runs/a/metrics.jsonl'][0] + b'{"step": 8, "loss": 1}\n'
        b'{"st', 10**6)
    assert 'resuming at step 4' in finish(workdir, capsys)
    same(workdir, straight)

  def test_damage_is_seen_and_moved_aside(
      self, workdir, store, straight, capsys):
    name = newest(store, 'variables')
    content = bytearray(store.objects[name][0])
    content[len(content) // 2] ^= 1
    store.put(name, bytes(content))
    assert any(fault for _, fault in verify.verify(workdir))
    said = finish(workdir, capsys)
    assert 'moved to corrupt-6; using 4' in said
    assert 'resuming at step 4' in said
    same(workdir, straight)
    aside = name.replace('/6/', '/corrupt-6/')
    assert store.objects[aside][0] == content
    assert not any(fault for _, fault in verify.verify(workdir))

  def test_what_cannot_be_saved_now_is_saved_later(
      self, workdir, store, straight, capsys, monkeypatch):
    monkeypatch.setattr(checkpoint, 'PAUSES', ())
    del store.objects['runs/a/checkpoints/6/commit_success.txt']

    def refuse(name):
      if '/checkpoints/6/' in name:
        raise OSError('quota')
    monkeypatch.setattr(store, 'before_upload', refuse)
    said = finish(workdir, capsys)
    assert 'save at 6 failed, last good 4, trying again at 8' in said
    same(workdir, straight)

  def test_a_restart_moves_all_aside(self, workdir, store):
    before = {name for name in store.objects if '/checkpoints/' in name}
    assert folder.set_aside(workdir) == workdir / 'old-1'
    assert {name.replace('runs/a/', 'runs/a/old-1/')
            for name in before} <= store.objects.keys()
    assert not before & store.objects.keys()

  def test_others_can_read_it(self, workdir):
    model = model_lib.load(str(workdir))
    assert model.sample(3, seed=0).shape[0] == 3
    assert report.write([str(workdir)]).exists()
    assert all(not fault for _, fault in verify.verify(str(workdir)))

  def test_a_killed_process_goes_on(self, store, straight, tmp_path):
    store.objects.clear()
    command = [sys.executable, '-m', 'swae_jax.main',
               '--config=tests/tiny_config.py', '--config.train.save_every=2',
               '--workdir=gs://bucket/runs/b']
    env = {**os.environ, 'PYTHONPATH': str(ROOT / 'tests'),
           'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': '1'}
    for fault, code in (('prune:1', 137), ('', 0)):
      done = subprocess.run(
          command, cwd=ROOT, env={**env, 'SWAE_JAX_FAULT': fault},
          capture_output=True, text=True, check=False)
      assert done.returncode == code, done.stderr
    # It left a lease and half a deletion.
    assert 'resuming at step 6' in done.stdout
    same(storage.path('gs://bucket/runs/b'), straight)


class TestLease:

  PATH = 'gs://bucket/run/lock'

  def held(self, store, **changes):
    store.objects.clear()
    store.put('run/lock', json.dumps({
        'host': 'other', 'pid': 5, 'boot': '', 'since': '2020-01-01 00:00:00',
        'id': 'x', 'renewed': time.time(), **changes}).encode())

  def test_another_one_is_respected(self, store):
    self.held(store)
    with pytest.raises(errors.Busy, match='in use by other:5 since 2020') as e:
      with lock.hold('gs://bucket/run'):
        raise AssertionError
    assert e.value.code == 75 and '\n' not in str(e.value)
    assert lock.holder('gs://bucket/run') == 'other:5 since 2020-01-01 00:00:00'

  def test_one_that_was_not_renewed_is_over(self, store):
    self.held(store, renewed=time.time() - 3 * lease.RENEWED - 1)
    assert lock.holder('gs://bucket/run') is None
    with lock.hold('gs://bucket/run'):
      assert str(os.getpid()) in lock.holder('gs://bucket/run')
    assert lock.holder('gs://bucket/run') is None

  def test_that_of_a_dead_process_here_is_over(self, store):
    with subprocess.Popen(['true']) as process:
      pass
    me = {'host': os.uname().nodename, 'boot': lease._boot()}
    self.held(store, pid=process.pid, **me)
    with lock.hold('gs://bucket/run'):
      pass
    self.held(store, pid=os.getppid(), **me)
    with pytest.raises(errors.Busy):
      lock.hold('gs://bucket/run').__enter__()

  def test_it_is_renewed(self, store, monkeypatch):
    store.objects.clear()
    monkeypatch.setattr(lease, 'RENEWED', .01)
    with lock.hold('gs://bucket/run'):
      first = store.objects['run/lock']
      end = time.monotonic() + 10
      while store.objects['run/lock'] == first and time.monotonic() < end:
        time.sleep(.01)
      assert store.objects['run/lock'] != first

  def test_one_that_was_taken_over_ends(self, store, monkeypatch, capfd):
    store.objects.clear()
    monkeypatch.setattr(lease, 'RENEWED', .05)
    ended = threading.Event()

    def leave(code):
      assert code == 75
      ended.set()
      raise RuntimeError  # Which is let pass.
    monkeypatch.setattr(os, '_exit', leave)
    with lock.hold('gs://bucket/run'):
      self.held(store, renewed=time.time() + 60)
      assert ended.wait(10)
    assert 'was taken over by other:5' in capfd.readouterr().err
    assert b'other' in store.objects['run/lock'][0]  # It is left alone.

  def test_of_two_at_once_one_gets_it(self, store, monkeypatch):
    monkeypatch.setattr(lease, 'SETTLED', .3)
    store.objects.clear()
    read, met = lease.read, threading.Barrier(2)

    def together(path):
      found = read(path)
      if found is None:  # Both have seen that it is free.
        met.wait(10)
      return found
    monkeypatch.setattr(lease, 'read', together)
    monkeypatch.setattr(lease, '_dead', lambda found: False)
    ends, release = [], threading.Event()

    def start():
      try:
        with lease.hold(storage.path(self.PATH)):
          ends.append('held')
          release.wait(10)
      except errors.Busy:
        ends.append('busy')
    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
      thread.start()
    end = time.monotonic() + 10
    while len(ends) < 2 and time.monotonic() < end:
      time.sleep(.01)
    release.set()
    for thread in threads:
      thread.join()
    assert sorted(ends) == ['busy', 'held']

  def test_a_bucket_that_refuses_has_a_code(self, store, monkeypatch):
    def refuse(name):
      raise OSError('no permission')
    store.objects.clear()
    monkeypatch.setattr(store, 'before_upload', refuse)
    with pytest.raises(errors.NotWritable, match='gs://bucket/run cannot') as e:
      lock.hold('gs://bucket/run').__enter__()
    assert e.value.code == 73 and '\n' not in str(e.value)


def test_the_rules_of_buckets_hold_in_a_folder(
    tmp_path, straight, monkeypatch, capsys):
  monkeypatch.setattr(storage, 'in_bucket', lambda where: True)
  monkeypatch.setattr(lease, 'SETTLED', 0.)
  workdir = storage.path(tmp_path)
  (workdir / 'images').mkdir()  # There are no folders in buckets.
  train.run(tiny.config(save_every=2, steps=8), workdir)
  (workdir / 'checkpoints' / '8' / checkpoint.COMMITTED).unlink()
  assert 'resuming at step 6' in finish(workdir, capsys)
  same(workdir, straight)
  assert not (workdir / 'lock').exists()
  with checkpoint.Checkpoints(workdir / 'checkpoints') as checkpoints:
    assert checkpoints.steps() == [8, 10]


def test_unknown_storage_and_missing_clients_are_refused(monkeypatch):
  with pytest.raises(errors.UserError, match='there is no storage ftp://'):
    storage.path('ftp://host/run')
  monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
  with pytest.raises(errors.UserError, match='pip install gcsfs'):
    storage.path('gs://bucket/run')


def test_folders_move_and_go(tmp_path):
  source = storage.path(tmp_path) / 'a'
  source.mkdir()
  (source / 'file').write_text('x')
  target = storage.move(source, source.parent / 'b')
  assert (target / 'file').read_text() == 'x' and not source.exists()
  assert storage.free(target) > 0
  storage.remove(target)
  assert not target.exists()
