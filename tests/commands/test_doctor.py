"""The lines of the doctor."""
import importlib.metadata

import pytest

from swae_jax import __main__ as commands
from swae_jax.commands import doctor


def test_every_bound_of_the_packages_is_looked_at(monkeypatch):
  assert doctor.required('')['jax'] == '0.8'
  assert doctor.required('train')['jax'] == '0.10.2'
  assert all(good for good, _ in doctor.packages())
  monkeypatch.setattr(doctor, 'required', lambda extra: {
      'jax': '99', 'nothing-x': '1'} if extra in doctor.NEEDED else {})
  lines = [line for good, line in doctor.packages() if not good]
  assert '99 or later' in lines[0] and 'nothing-x is not installed' in lines[1]


def test_an_installed_package_knows_its_bounds_without_setup_cfg(monkeypatch):
  monkeypatch.setattr(doctor.pathlib.Path, 'is_file', lambda self: False)
  monkeypatch.setattr(importlib.metadata, 'requires', lambda name: [
      'jax>=0.8', 'etils[epath]>=1.2; extra == "train"',
      'swae_jax[train]; extra == "gcs"'])
  assert doctor.required('') == {'jax': '0.8'}
  assert doctor.required('train') == {'etils': '1.2'}
  assert doctor.required('gcs') == {}


@pytest.mark.parametrize('one, two', [
    ('0.9.9', '0.10'), ('1.0', '1.0.1'), ('0.10.2', '0.10.10')])
def test_versions_are_compared_as_numbers(one, two):
  assert doctor.numbers(one) < doctor.numbers(two)


def test_the_machine_runs_a_program():
  assert all(good for good, _ in doctor.machine())


def test_a_folder_of_data_sets_is_looked_through(tmp_path):
  (tmp_path / 'mnist').mkdir()
  lines = [line for _, line in doctor.data_sets(tmp_path)]
  assert lines[0].startswith('mnist: 0 MiB') and 'Inception' in lines[1]
  assert not next(doctor.data_sets(tmp_path / 'none'))[0]


def test_a_workdir_need_not_be_there_but_must_be_a_folder(tmp_path):
  assert list(doctor.workdir(str(tmp_path / 'a' / 'b'))) == [
      (True, f'{tmp_path} is writable'), (True, 'not in use')]
  (tmp_path / 'file').touch()
  (good, line), = doctor.workdir(str(tmp_path / 'file' / 'b'))
  assert not good and 'is a file' in line


def test_a_line_that_says_no_is_an_error_of_one_line(capsys):
  with pytest.raises(SystemExit) as found:
    commands.run(['doctor', '--data_dir=/nowhere'])
  out, err = capsys.readouterr()
  assert found.value.code == 2 and err == 'swae_jax: 1 line(s) say NO\n'
  assert 'data      NO: --data_dir=/nowhere is no folder' in out
