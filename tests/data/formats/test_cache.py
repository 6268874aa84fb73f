import os

import numpy as np
import pytest

from swae_jax.data.formats import cache

ARRAY = np.random.default_rng(0).integers(256, size=(5, 4, 3, 1),
                                          dtype=np.uint8)


def never():
  raise AssertionError('made although it is kept')


def test_made_once_and_read_then(tmp_path):
  folder = tmp_path / 'new'
  first, path = cache.images(folder, 'toy', {'size': 4}, lambda: ARRAY)
  assert path.parent == folder and path.is_file()
  again, same = cache.images(folder, 'toy', {'size': 4}, never)
  assert same == path and again.dtype == np.uint8
  np.testing.assert_array_equal(first, ARRAY)
  np.testing.assert_array_equal(again, ARRAY)


def test_another_source_is_another_file(tmp_path):
  _, one = cache.images(tmp_path, 'toy', {'size': 4}, lambda: ARRAY)
  other, two = cache.images(tmp_path, 'toy', {'size': 5}, lambda: ARRAY + 1)
  assert one != two
  np.testing.assert_array_equal(other, ARRAY + 1)
  assert len(list(tmp_path.iterdir())) == 2  # And no parts of files.


def test_no_damage_of_the_kept_file_is_read(tmp_path):
  _, path = cache.images(tmp_path, 'toy', {}, lambda: ARRAY)
  right = path.read_bytes()
  damaged = [b'', right[:len(right) // 2], right[:-1]]
  damaged += [right[:i] + bytes([right[i] ^ 1 << i % 8]) + right[i + 1:]
              for i in range(len(right))]
  made = 0
  for content in damaged:
    path.write_bytes(content)
    calls = []
    found, _ = cache.images(tmp_path, 'toy', {},
                            lambda calls=calls: calls.append(1) or ARRAY)
    # Not made: some bytes of the zip format say nothing of the array.
    np.testing.assert_array_equal(found, ARRAY)
    assert len(calls) == 0 or path.stat().st_size == len(right)
    made += len(calls)
  assert made > ARRAY.size


@pytest.mark.parametrize('mode', [0o555, 0o000])
def test_a_read_only_folder_stays_as_it_is(tmp_path, mode):
  tmp_path.chmod(mode)
  try:
    found, path = cache.images(tmp_path, 'toy', {}, lambda: ARRAY)
  finally:
    tmp_path.chmod(0o755)
  assert found is ARRAY and path is None
  assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_no_part(tmp_path, monkeypatch):
  def full(file, images):
    file.write(b'part')
    raise OSError(28, 'No space left on device')
  monkeypatch.setattr(np, 'savez', full)
  found, path = cache.images(tmp_path, 'toy', {}, lambda: ARRAY)
  assert found is ARRAY and path is None and not list(tmp_path.iterdir())


def test_others_may_read_it(tmp_path):
  before = os.umask(0o022)
  try:
    _, path = cache.images(tmp_path, 'toy', {}, lambda: ARRAY)
  finally:
    os.umask(before)
  assert path.stat().st_mode & 0o777 == 0o644
