import hashlib

import pytest

from swae_jax import errors
from swae_jax.data.formats import files


def test_the_sets_own_folder_goes_first_and_choices_in_their_order(tmp_path):
  own = tmp_path / 'toy'
  own.mkdir()
  (tmp_path / 'a').touch()
  assert files.find('toy', str(tmp_path), 'a', 'b') == tmp_path / 'a'
  (own / 'b').touch()
  assert files.find('toy', str(tmp_path), 'a', 'b') == tmp_path / 'a'
  (own / 'a').touch()
  assert files.find('toy', str(tmp_path), 'a', 'b') == own / 'a'
  assert files.find('toy', str(tmp_path), 'c') is None


def test_no_folder_is_not_the_current_one(tmp_path, monkeypatch):
  (tmp_path / 'a').touch()
  monkeypatch.chdir(tmp_path)
  assert files.find('toy', '', 'a') is None
  assert 'no folder is given' in str(files.missing('toy', '', 'a'))


def test_home_is_understood(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  assert files.folders('toy', '~/x') == (tmp_path / 'x/toy', tmp_path / 'x')


def test_missing_says_what_where_and_what_to_do(tmp_path):
  e = files.missing('toy', str(tmp_path), 'a.zip (7 bytes)')
  assert isinstance(e, errors.MissingData) and e.code == 66
  for part in ('toy: a.zip (7 bytes)', str(tmp_path / 'toy'),
               '--config.data.dir=DIR', 'swae prepare toy --data_dir=DIR'):
    assert part in str(e)
  assert '\n' not in str(e)


def test_digests_are_those_of_hashlib_and_are_checked(tmp_path):
  path = tmp_path / 'a'
  path.write_bytes(b'swan')
  for kind in ('sha256', 'md5'):
    found = files.digest(path, kind)
    assert found == hashlib.new(kind, b'swan').hexdigest()
    files.check(path, found, found, kind)
    with pytest.raises(errors.DamagedData, match=f'{kind} {found}, expected 0'):
      files.check(path, found, '0', kind)
  with pytest.raises(errors.UserError, match='cannot be read: Is a directory'):
    files.digest(tmp_path)
