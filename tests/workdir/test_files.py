"""Files are written whole, and read back exactly."""
import errno
import os

import numpy as np
from PIL import Image
import pytest

from swae_jax import errors
from swae_jax.workdir import files


def test_a_file_is_replaced_as_a_whole(tmp_path):
  path = tmp_path / 'deep' / 'value.json'
  assert files.read_json(path) is None
  for value in ({'a': 1}, {'a': 2}):
    files.write_json(path, value)
  assert files.read_json(path) == {'a': 2}
  assert [p.name for p in path.parent.iterdir()] == ['value.json']


def test_any_changed_byte_of_a_file_is_refused_or_harmless(tmp_path):
  path, value = tmp_path / 'value.json', {'b': [1, (2., None)], 'a': 'x'}
  files.write_json(path, value)
  content, found = path.read_bytes(), files.read_json(path)
  assert found == {'b': [1, [2., None]], 'a': 'x'}
  refused = 0
  for place in range(len(content)):
    path.write_bytes(content[:place] + bytes([content[place] ^ 1])
                     + content[place + 1:])
    try:
      assert files.read_json(path, 'a').items() >= found.items()
    except errors.DamagedData as e:
      assert str(path) in str(e) and '\n' not in str(e)
      refused += 1
  assert refused > len(content) / 2


@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 3)])
def test_images_come_back_exactly(tmp_path, shape):
  image = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
  path = files.save_image(tmp_path / 'a' / 'b.png', image)
  np.testing.assert_array_equal(np.asarray(Image.open(path)), image)


def test_a_file_and_its_name_are_on_the_disk(tmp_path, monkeypatch):
  synced, sync = [], files.sync
  monkeypatch.setattr(files, 'sync', lambda path: [
      synced.append(os.fspath(path)), sync(path)])
  files.replace(tmp_path / 'a' / 'b', b'c')
  made, partial, there = synced  # Each folder is in the list of another one.
  assert made == str(tmp_path) and there == str(tmp_path / 'a')
  assert partial.startswith(str(tmp_path / 'a' / 'b.'))


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
  files.replace(tmp_path / 'a', b'old')

  def fail(path):
    raise OSError(errno.EIO, os.strerror(errno.EIO))
  monkeypatch.setattr(os, 'fsync', fail)
  with pytest.raises(OSError, match='Input/output'):
    files.replace(tmp_path / 'a', b'new')
  assert [p.read_bytes() for p in tmp_path.iterdir()] == [b'old']


def test_a_planted_link_is_not_followed(tmp_path, monkeypatch):
  (tmp_path / 'a.0.partial').symlink_to(tmp_path / 'victim')
  monkeypatch.setattr(files.secrets, 'token_hex', lambda n: '0')
  with pytest.raises(FileExistsError):
    files.replace(tmp_path / 'a', b'')
  assert not (tmp_path / 'victim').exists()


def test_a_file_system_that_syncs_no_folders_will_do(tmp_path, monkeypatch):
  def refuse(number):
    if os.path.isdir(f'/proc/self/fd/{number}'):
      raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
  monkeypatch.setattr(os, 'fsync', refuse)
  files.replace(tmp_path / 'a', b'b')
  assert (tmp_path / 'a').read_bytes() == b'b'
