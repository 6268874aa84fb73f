import json
import sys
import time

import pytest

from swae_jax import errors
from swae_jax.training import resume, train
from swae_jax.workdir import files, metrics_log
import tiny


def lines(path):
  return [json.loads(line)['step'] for line in path.read_text().splitlines()]


def test_metrics_after_a_restart_hold_every_step_once(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  with metrics_log.Metrics(path, 0) as metrics:
    for step in range(1, 8):
      metrics.add(step, {'loss': 1. / step})
  with path.open('a') as file:
    file.write('{"step": 8, "lo')  # The kill came in the middle of a line.
  with metrics_log.Metrics(path, 5) as metrics:
    for step in range(6, 10):
      metrics.add(step, {'loss': 0.})
  assert lines(path) == list(range(1, 10))


def test_metrics_are_on_disk_at_once(tmp_path):
  with metrics_log.Metrics(tmp_path / 'metrics.jsonl', 0) as metrics:
    metrics.add(3, {'loss': 2.})
    assert lines(tmp_path / 'metrics.jsonl') == [3]


def test_of_several_processes_one_writes_and_all_know(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  with metrics_log.Metrics(path, 0) as writer:
    writer.add(1, {'loss': 3.})
  with metrics_log.Metrics(path, 1, write=False) as reader:
    reader.add(2, {'loss': 2.})
  assert [row['loss'] for row in reader.rows] == [3., 2.]
  assert lines(path) == [1]


def test_changes_name_nested_options():
  old = {'a': {'b': 1, 'c': [1, 2]}, 'd': 'x'}
  new = {'a': {'b': 2, 'c': (1, 2)}, 'e': 0}
  assert resume.compare(old, new) == {
      'a.b': (1, 2), 'd': ('x', None), 'e': (None, 0)}


def test_write_replaces_whole_files(tmp_path):
  path = tmp_path / 'deep' / 'value.json'
  files.write_json(path, {'a': 1})
  files.write_json(path, {'a': 2})
  assert files.read_json(path) == {'a': 2}
  assert [p.name for p in path.parent.iterdir()] == ['value.json']


def test_a_missing_file_reads_as_none(tmp_path):
  assert files.read_json(tmp_path / 'none.json') is None


@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 3)])
def test_images_come_back_exactly(tmp_path, shape):
  import numpy as np
  from PIL import Image
  image = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
  path = files.save_image(tmp_path / 'a' / 'b.png', image)
  np.testing.assert_array_equal(np.asarray(Image.open(path)), image)


def scalars(folder):
  """{tag: {step: value}} as TensorBoard reads the files of a folder."""
  from tensorboardX.proto import event_pb2
  found = {}
  for path in sorted(folder.iterdir()):
    data = path.read_bytes()
    while data:
      size = int.from_bytes(data[:8], 'little')
      event = event_pb2.Event.FromString(data[12:12 + size])
      data = data[16 + size:]
      if event.session_log.status == event_pb2.SessionLog.START:
        found = {tag: {k: v for k, v in steps.items() if k < event.step}
                 for tag, steps in found.items()}
      for value in event.summary.value:
        steps = found.setdefault(value.tag, {})
        assert event.step not in steps
        steps[event.step] = value.simple_value
  return found


def test_events_after_a_restart_hold_every_step_once(tmp_path, monkeypatch):
  pytest.importorskip('tensorboardX')
  from tensorboardX import event_file_writer
  # Files are told apart by the second in which they were opened.
  clock = iter(range(100))
  monkeypatch.setattr(event_file_writer.time, 'time', lambda: next(clock))
  for start, steps, loss in ((0, range(1, 8), 2.), (5, range(6, 10), 3.)):
    with metrics_log.events(tmp_path / 'tensorboard', start) as events:
      with metrics_log.Metrics(tmp_path / 'metrics.jsonl', start,
                          events=events) as metrics:
        for step in steps:
          metrics.add(step, {'loss': loss})
  assert scalars(tmp_path / 'tensorboard') == {
      'metrics/loss': {i: 2. if i <= 5 else 3. for i in range(1, 10)}}
  assert lines(tmp_path / 'metrics.jsonl') == list(range(1, 10))


def test_events_are_on_disk_while_a_run_goes_on(tmp_path, monkeypatch):
  pytest.importorskip('tensorboardX')
  monkeypatch.setattr(files, 'FLUSH', .1)
  with metrics_log.events(tmp_path / 'tensorboard', 0) as events:
    with metrics_log.Metrics(tmp_path / 'a.jsonl', 0, events=events) as metrics:
      metrics.add(3, {'loss': 2.})
      end = time.monotonic() + 20
      while not scalars(tmp_path / 'tensorboard'):
        assert time.monotonic() < end
        time.sleep(.05)
      assert scalars(tmp_path / 'tensorboard') == {'a/loss': {3: 2.}}


def test_a_run_writes_events_if_asked(tmp_path):
  pytest.importorskip('tensorboardX')
  train.run(tiny.config(steps=4), tmp_path)
  assert not (tmp_path / 'tensorboard').exists()
  train.run(tiny.config(steps=8, tensorboard=True), tmp_path)
  found = scalars(tmp_path / 'tensorboard')
  last = metrics_log.Metrics(tmp_path / 'metrics.jsonl', 8, write=False).rows[-1]
  assert found['metrics/loss'].keys() == {6, 8}
  assert found['metrics/loss'][8] == pytest.approx(last['loss'])


def test_events_without_their_package_are_one_line(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'tensorboardX', None)
  with pytest.raises(errors.UserError, match='pip install tensorboardX'):
    metrics_log.events(tmp_path, 0)
