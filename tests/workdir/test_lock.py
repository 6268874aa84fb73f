"""One process at a time, also after the owner has died."""
import os
import pathlib
import subprocess
import sys

import pytest

from swae_jax import errors
from swae_jax.workdir import lock

ROOT = pathlib.Path(lock.__file__).parent.parent
HOLD = """
import sys, time
from swae_jax import lock
with lock.hold(sys.argv[1]):
  print('held', flush=True)
  time.sleep(60)
"""


def owner(workdir):
  process = subprocess.Popen([sys.executable, '-c', HOLD, workdir], cwd=ROOT,
                             stdout=subprocess.PIPE, text=True)
  assert process.stdout.readline() == 'held\n'
  return process


def test_a_lock_is_held_by_one_and_free_when_it_dies(tmp_path):
  workdir = tmp_path / 'deep' / 'run'
  with owner(workdir) as process:
    with pytest.raises(errors.Busy, match=f':{process.pid} since 20') as e:
      with lock.hold(workdir):
        raise AssertionError
    assert e.value.code == 75 and '\n' not in str(e.value)
    assert f':{process.pid} since' in lock.holder(workdir)
    process.kill()
  assert lock.holder(workdir) is None
  for _ in range(2):
    with lock.hold(workdir):
      pass


def test_a_workdir_that_cannot_be_made_has_a_code(tmp_path, monkeypatch):
  def refuse(*args, **options):
    raise OSError(30, 'Read-only file system')
  monkeypatch.setattr(os, 'makedirs', refuse)
  with pytest.raises(errors.NotWritable, match='Read-only') as e:
    with lock.hold(tmp_path / 'run'):
      raise AssertionError
  assert e.value.code == 73
