import os

import numpy as np
import pytest

from swae_jax.data.formats import cache

ARRAY = np.random.default_rng(0).integers(256, size=(5, 4, 3, 1),
                                          dtype=np.uint8)


def never():
  raise AssertionError('made although it is kept')


def make():
  return {'images': ARRAY, 'notes': np.array('of the making')}


def test_made_once_and_read_then(tmp_path):
  folder = tmp_path / 'new'
  first = cache.kept(folder, 'toy', {'size': 4}, make)
  again = cache.kept(folder, 'toy', {'size': 4}, never)
  assert first['images'] is ARRAY and again['images'].dtype == np.uint8
  np.testing.assert_array_equal(again['images'], ARRAY)
  assert str(again['notes']) == 'of the making'


def test_another_source_is_another_file(tmp_path):
  cache.kept(tmp_path, 'toy', {'size': 4}, make)
  other = cache.kept(tmp_path, 'toy', {'size': 5},
                     lambda: {'images': ARRAY + 1})
  np.testing.assert_array_equal(other['images'], ARRAY + 1)
  assert len(list(tmp_path.iterdir())) == 2  # And no parts of files.


def test_no_damage_of_the_kept_file_is_read(tmp_path):
  cache.kept(tmp_path, 'toy', {}, make)
  path, = tmp_path.iterdir()
  right = path.read_bytes()
  damaged = [b'', right[:len(right) // 2], right[:-1]]
  damaged += [right[:i] + bytes([right[i] ^ 1 << i % 8]) + right[i + 1:]
              for i in range(0, len(right), 3)]
  made = 0
  for content in damaged:
    path.write_bytes(content)
    calls = []
    found = cache.kept(tmp_path, 'toy', {},
                       lambda calls=calls: calls.append(1) or make())
    # Not made: some bytes of the zip format say nothing of the array.
    np.testing.assert_array_equal(found['images'], ARRAY)
    assert len(calls) == 0 or path.stat().st_size == len(right)
    made += len(calls)
  assert made > ARRAY.size / 3


@pytest.mark.parametrize('mode', [0o555, 0o000])
def test_a_read_only_folder_stays_as_it_is(tmp_path, mode):
  tmp_path.chmod(mode)
  try:
    assert cache.kept(tmp_path, 'toy', {}, make)['images'] is ARRAY
  finally:
    tmp_path.chmod(0o755)
  assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_part(tmp_path, monkeypatch):
  def full(file, **found):
    file.write(b'part')
    raise OSError(28, 'No space left on device')
  monkeypatch.setattr(np, 'savez', full)
  assert cache.kept(tmp_path, 'toy', {}, make)['images'] is ARRAY
  assert not list(tmp_path.iterdir())


def test_others_may_read_it(tmp_path):
  before = os.umask(0o022)
  try:
    cache.kept(tmp_path, 'toy', {}, make)
  finally:
    os.umask(before)
  path, = tmp_path.iterdir()
  assert path.stat().st_mode & 0o777 == 0o644


def test_the_default_is_the_users_folder_which_drops_what_is_unused(
    tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  cache.kept('', 'toy', 'old', make)
  old, = (tmp_path / 'swae_jax').iterdir()
  os.utime(old, (0, 0))
  cache.kept('', 'toy', 'old', never)  # Used, so it stays.
  cache.kept('', 'toy', 'new', make)
  assert old.exists()
  os.utime(old, (0, 0))
  cache.kept('', 'toy', 'newer', make)
  assert not old.exists()
  assert len(list((tmp_path / 'swae_jax').iterdir())) == 2
  monkeypatch.setenv('XDG_CACHE_HOME', 'relative')
  assert cache.default() is None
  assert cache.kept('', 'toy', 'new', make)['images'] is ARRAY


def test_nothing_is_written_where_nothing_may_be(tmp_path):
  with cache.unwritten():
    assert cache.kept(tmp_path / 'a', 'toy', {}, make)['images'] is ARRAY
  assert not list(tmp_path.iterdir())
  cache.kept(tmp_path, 'toy', {}, make)
  with cache.unwritten():
    cache.kept(tmp_path, 'toy', {}, never)


def test_a_pipe_in_its_place_does_not_stop_it(tmp_path):
  cache.kept(tmp_path, 'toy', {}, make)
  path, = tmp_path.iterdir()
  path.unlink()
  os.mkfifo(path)
  assert cache.kept(tmp_path, 'toy', {}, make)['images'] is ARRAY
