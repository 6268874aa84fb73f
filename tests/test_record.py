import json

import pytest

from swae_jax import record


def lines(path):
  return [json.loads(line)['step'] for line in path.read_text().splitlines()]


def test_metrics_after_a_restart_hold_every_step_once(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  with record.Metrics(path, 0) as metrics:
    for step in range(1, 8):
      metrics.add(step, {'loss': 1. / step})
  with path.open('a') as file:
    file.write('{"step": 8, "lo')  # The kill came in the middle of a line.
  with record.Metrics(path, 5) as metrics:
    for step in range(6, 10):
      metrics.add(step, {'loss': 0.})
  assert lines(path) == list(range(1, 10))


def test_metrics_are_on_disk_at_once(tmp_path):
  with record.Metrics(tmp_path / 'metrics.jsonl', 0) as metrics:
    metrics.add(3, {'loss': 2.})
    assert lines(tmp_path / 'metrics.jsonl') == [3]


def test_of_several_processes_one_writes_and_all_know(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  with record.Metrics(path, 0) as writer:
    writer.add(1, {'loss': 3.})
  with record.Metrics(path, 1, write=False) as reader:
    reader.add(2, {'loss': 2.})
  assert [row['loss'] for row in reader.rows] == [3., 2.]
  assert lines(path) == [1]


def test_changes_name_nested_options():
  old = {'a': {'b': 1, 'c': [1, 2]}, 'd': 'x'}
  new = {'a': {'b': 2, 'c': (1, 2)}, 'e': 0}
  assert record.changes(old, new) == {
      'a.b': (1, 2), 'd': ('x', None), 'e': (None, 0)}


def test_write_replaces_whole_files(tmp_path):
  path = tmp_path / 'deep' / 'value.json'
  record.write_json(path, {'a': 1})
  record.write_json(path, {'a': 2})
  assert record.read_json(path) == {'a': 2}
  assert [p.name for p in path.parent.iterdir()] == ['value.json']


def test_a_missing_file_reads_as_none(tmp_path):
  assert record.read_json(tmp_path / 'none.json') is None


@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 3)])
def test_images_come_back_exactly(tmp_path, shape):
  import numpy as np
  from PIL import Image
  image = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
  path = record.save_image(tmp_path / 'a' / 'b.png', image)
  np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
