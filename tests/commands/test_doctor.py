"""What the doctor finds."""
import pytest

from swae_jax.commands import doctor


def test_every_bound_of_the_packages_is_looked_at(monkeypatch):
  assert doctor.bounds()['jax'] == '0.10.2'
  assert all(good for good, _ in doctor.versions())
  monkeypatch.setattr(doctor, 'bounds', lambda: {'jax': '99', 'nothing-x': '1'})
  lines = [line for good, line in doctor.versions() if not good]
  assert 'needs 99' in lines[0] and 'nothing-x is not installed' in lines[1]


@pytest.mark.parametrize('one,two', [('0.9.9', '0.10'), ('1.0', '1.0.1'),
                                     ('0.10.2', '0.10.10')])
def test_versions_are_compared_as_numbers(one, two):
  assert doctor.numbers(one) < doctor.numbers(two)


def test_the_machine_runs_a_program():
  assert all(good for good, _ in doctor.machine())


def test_a_folder_is_looked_through(tmp_path):
  (tmp_path / 'mnist').mkdir()
  lines = [line for _, line in doctor.data_sets(tmp_path)]
  assert lines[0].startswith('mnist: 0 MiB') and 'Inception' in lines[1]
  assert not next(doctor.data_sets(tmp_path / 'none'))[0]


def test_a_workdir_that_is_not_there_yet_is_fine(tmp_path):
  lines = list(doctor.workdir_lines(tmp_path / 'a' / 'b'))
  assert lines == [(True, f'{tmp_path} can be written'), (True, 'not in use')]
