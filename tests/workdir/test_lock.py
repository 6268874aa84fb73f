"""One process at a time, also after the owner has died."""
import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from swae_jax import errors
from swae_jax.workdir import lock, storage

HOLD = """
import pathlib, sys, time
from swae_jax.workdir import lock
with lock.hold(pathlib.Path(sys.argv[1])):
  print('held', flush=True)
  time.sleep(60)
"""
RUN = storage.epath.Path('gs://bucket/run')


def refused(workdir, error):
  """The line with which a process is sent away."""
  with pytest.raises(error) as e, lock.hold(workdir):
    raise AssertionError
  assert '\n' not in str(e.value)
  return str(e.value)


@pytest.mark.parametrize('make', [
    lambda path: path.mkdir(), lambda path: path.symlink_to('nowhere')])
def test_a_lock_that_is_no_file_is_one_line(make, tmp_path):
  make(tmp_path / 'lock')
  assert 'lock must be a file' in refused(tmp_path, errors.NotWritable)


def test_a_lock_is_held_by_one_and_free_when_it_dies(tmp_path):
  workdir = tmp_path / 'deep' / 'run'
  with subprocess.Popen(
      [sys.executable, '-c', HOLD, workdir], stdout=subprocess.PIPE, text=True,
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}) as process:
    assert process.stdout.readline() == 'held\n'
    for _ in range(2):  # Who was sent away has not unsaid who holds it.
      line = refused(workdir, errors.Busy)
      assert line.startswith(f'{workdir} is in use by ')
      assert f':{process.pid} since 20' in line
      assert f':{process.pid} since' in lock.holder(workdir)
    process.kill()
  assert errors.Busy.code == 75 and lock.holder(workdir) is None
  for _ in range(2):
    with lock.hold(workdir):
      assert f':{os.getpid()} since' in lock.holder(workdir)
      refused(workdir, errors.Busy)
    assert {p.name for p in workdir.iterdir()} == {'lock'}


def test_a_workdir_that_cannot_be_made_has_a_code(tmp_path, monkeypatch):
  def refuse(*args, **options):
    raise OSError(30, 'Read-only file system')
  monkeypatch.setattr(os, 'makedirs', refuse)
  monkeypatch.setattr(os, 'mkdir', refuse)
  assert 'Read-only' in refused(tmp_path / 'run', errors.NotWritable)
  assert errors.NotWritable.code == 73


def replaced(workdir):
  """What may become of a workdir under its run."""
  away = workdir.with_name('away')

  def move():
    workdir.rename(away)

  def replace():
    move()
    workdir.mkdir()
    (workdir / 'lock').touch()

  def delete():
    shutil.rmtree(workdir)

  def only_the_lock():
    (workdir / 'lock').unlink()
    (workdir / 'lock').touch()

  def a_file():
    move()
    workdir.touch()
  return move, replace, delete, only_the_lock, a_file


@pytest.mark.parametrize('lacking', [None, errno.ENOLCK])
@pytest.mark.parametrize('which', range(5))
def test_a_workdir_that_is_anothers_is_seen(
    which, lacking, tmp_path, monkeypatch):
  monkeypatch.setattr(lock, 'SETTLED', 0.)
  monkeypatch.setattr(lock, 'RENEWED', .05)
  monkeypatch.setattr(os, '_exit', lambda code: None)
  if lacking:
    lacks(monkeypatch, lacking)
  workdir = tmp_path / 'run'
  with lock.hold(workdir) as check:
    check()
    replaced(workdir)[which]()
    if workdir.is_dir():
      (workdir / 'lock.json').write_text('of another')
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(errors.Busy, match='no longer the workdir of this run'):
      check()
    time.sleep(.2)
  assert before == sorted(tmp_path.rglob('*'))


def lacks(monkeypatch, number):
  def refuse(*args):
    raise OSError(number, os.strerror(number))
  monkeypatch.setattr(fcntl, 'flock', refuse)


@pytest.mark.parametrize('number', [
    errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_has_leases(number, tmp_path, monkeypatch):
  monkeypatch.setattr(lock, 'SETTLED', 0.)
  lacks(monkeypatch, number)
  for _ in range(2):  # What the first has left does not refuse the second.
    assert lock.holder(tmp_path) is None
    with lock.hold(tmp_path) as check:
      check()
      assert f':{os.getpid()} since' in lock.holder(tmp_path)
      assert 'or delete' in refused(tmp_path, errors.Busy)


class TestLease:

  @pytest.fixture(autouse=True)
  def _empty(self, store):
    store.objects.clear()

  @pytest.fixture
  def held(self, store):
    """A function that puts the lease of another process there."""
    return lambda **changes: store.put('run/lock', json.dumps({
        'host': 'other', 'pid': 5, 'boot': '', 'since': '2020-01-01 00:00:00',
        'id': 'x', 'renewed': time.time(), **changes}).encode())

  def test_a_lease_keeps_others_out_until_it_runs_out(self, held):
    held()
    assert 'in use by other:5 since 2020' in refused(RUN, errors.Busy)
    assert lock.holder(RUN) == 'other:5 since 2020-01-01 00:00:00'
    held(renewed=time.time() - 3 * lock.RENEWED - 1)
    assert lock.holder(RUN) is None
    with lock.hold(RUN):
      assert str(os.getpid()) in lock.holder(RUN)
    assert lock.holder(RUN) is None

  def test_the_lease_of_a_dead_process_of_this_machine_is_over(self, held):
    with subprocess.Popen(['true']) as process:
      pass
    this = {name: lock._this_process()[name] for name in ('host', 'boot')}
    held(pid=process.pid, **this)
    with lock.hold(RUN):
      pass
    held(pid=os.getppid(), **this)
    refused(RUN, errors.Busy)

  def test_a_lease_is_renewed(self, store, monkeypatch):
    monkeypatch.setattr(lock, 'RENEWED', .01)
    with lock.hold(RUN):
      first, end = store.objects['run/lock'], time.monotonic() + 10
      while store.objects['run/lock'] == first and time.monotonic() < end:
        time.sleep(.01)
      assert store.objects['run/lock'] != first

  def test_a_process_whose_lease_was_taken_over_ends(
      self, store, held, monkeypatch, capfd):
    monkeypatch.setattr(lock, 'RENEWED', .05)
    codes, ended = [], threading.Event()

    def leave(code):
      codes.append(code)
      ended.set()
      raise RuntimeError  # Which is suppressed.
    monkeypatch.setattr(os, '_exit', leave)
    with lock.hold(RUN):
      held(renewed=time.time() + 60)
      assert ended.wait(10) and codes[0] == 75
    said = capfd.readouterr().err
    assert ':5 since 2020-01-01 00:00:00 has taken over gs://bucket/run' in said
    assert b'other' in store.objects['run/lock'][0]  # It is left alone.

  def test_one_of_two_that_start_at_once_gets_the_lease(self, monkeypatch):
    monkeypatch.setattr(lock, 'SETTLED', .3)
    read, met = lock._read_lease, threading.Barrier(2)

    def together(path):
      found = read(path)
      if found is None:  # Both have seen that it is free.
        met.wait(10)
      return found
    monkeypatch.setattr(lock, '_read_lease', together)
    monkeypatch.setattr(lock, '_dead', lambda owner: False)
    ends, release = [], threading.Event()

    def start():
      try:
        with lock.hold(RUN):
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
    monkeypatch.setattr(store, 'before_upload', refuse)
    assert 'gs://bucket/run cannot be wr' in refused(RUN, errors.NotWritable)
