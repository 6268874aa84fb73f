"""The benchmark for accelerators, with its smallest sizes."""
import json

import pytest

from benchmarks import accelerator


@pytest.mark.slow
def test_a_system_and_the_losses_are_written(tmp_path):
  path = tmp_path / 'new' / 'found.json'
  accelerator.main([
      '--small', '--only', 'ae', '--devices=1', '--blocks=1', '--calls=1',
      f'--out={path}'])
  found = json.loads(path.read_text())
  assert found['device_kind'] and found['versions']['jax']
  first, *rest = found['rows']
  assert (first['case'], first['batch'], first['devices']) == ('ae', 10, 1)
  names = accelerator.batch_losses(4, 2)
  assert [row['case'].split(' (')[0] for row in rest] == list(names)
  for row in found['rows']:
    assert row['ms'] > 0 and row['compile_s'] > 0 and row['megabytes'] > 0
    assert abs(row['examples_per_s'] * row['ms'] / 1e3 / row['batch'] - 1) < .01


def test_every_case_has_a_small_config():
  for name, settings in accelerator.CASES.items():
    config = accelerator.house.get_config(accelerator.small(settings))
    assert config.network.name == 'mlp', name
    assert config.system.name == settings['system.name'], name
