"""Every logged step has one line of metrics, and one point in TensorBoard."""
import json
import sys
import time

import pytest

from swae_jax import errors
from swae_jax.training import train
from swae_jax.workdir import metrics_log
import tiny


@pytest.fixture
def path(tmp_path):
  return tmp_path / 'metrics.jsonl'


def steps(path):
  return [json.loads(line)['step'] for line in path.read_text().splitlines()]


def add(path, start, steps, loss=1., **options):
  """A run that goes on from `start` and logs these steps."""
  with metrics_log.Metrics(path, start, **options) as metrics:
    for step in steps:
      metrics.add(step, {'loss': loss})
  return metrics.rows


def test_metrics_after_a_restart_hold_every_step_once(path):
  add(path, 0, range(1, 8))
  with path.open('a') as file:
    file.write('{"step": 8, "lo')  # The kill came in the middle of a line.
  add(path, 5, range(6, 10))
  assert steps(path) == list(range(1, 10))


@pytest.mark.parametrize('damage, left', [
    (lambda text: b'', []), (None, []), (lambda text: text[:-9], [1, 2, 3]),
    (lambda text: text.replace(b'3, ', b'3, \0'), [1, 2, 4]),
    (lambda text: text.replace(b'2, ', b'\xff\n'), [1, 3, 4]),
    (lambda text: text.replace(b'2, ', b'1, '), [1, 3, 4]),
    (lambda text: b'[' * 9999 + b'\n' + text, [1, 2, 3, 4]),
    (lambda text: text.replace(b'1.5', b'2.5', 1), [1, 2, 3, 4])])
def test_what_is_left_of_a_damaged_log_is_kept(path, damage, left):
  with metrics_log.Metrics(path, 0) as metrics:
    for step in range(1, 5):
      metrics.add(step, {'loss': 1.5})
    expected = metrics.digest()
  content = damage(path.read_bytes()) if damage else b''
  if damage:
    path.write_bytes(content)
  else:
    path.unlink()
  said = []
  with metrics_log.Metrics(path, 4, expected=expected,
                           print_line=said.append) as metrics:
    metrics.add(5, {'loss': 1.})
  assert steps(path) == [*left, 5]
  assert len(said) == 1 and 'metrics.jsonl is damaged (' in said[0]
  assert path.with_name('corrupt-metrics.jsonl').read_bytes() == content


def test_a_log_that_is_whole_up_to_its_checkpoint_is_not_damaged(path):
  with metrics_log.Metrics(path, 0) as metrics:
    metrics.add(1, {'loss': 1.})
    expected = metrics.digest()
    metrics.add(2, {'loss': 1.})
  with path.open('a') as file:
    file.write('{"step": 3, "lo')
  for step in (1, 2, 1):  # A validation comes after the save of its step.
    metrics_log.Metrics(path, step, expected=expected,
                        print_line=pytest.fail).__exit__()


def test_metrics_are_on_disk_at_once(path):
  with metrics_log.Metrics(path, 0) as metrics:
    metrics.add(3, {'loss': 2.})
    assert steps(path) == [3]


def test_of_several_processes_one_writes_and_all_know(path):
  add(path, 0, [1], 3.)
  rows = add(path, 1, [2], 2., write=False)
  assert [row['loss'] for row in rows] == [3., 2.] and steps(path) == [1]


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
        found = {tag: {k: v for k, v in values.items() if k < event.step}
                 for tag, values in found.items()}
      for value in event.summary.value:
        values = found.setdefault(value.tag, {})
        assert event.step not in values
        values[event.step] = value.simple_value
  return found


class TestEvents:

  @pytest.fixture(autouse=True)
  def _installed(self):
    pytest.importorskip('tensorboardX')

  def test_after_a_restart_they_hold_every_step_once(
      self, path, tmp_path, monkeypatch):
    clock = iter(range(100, 0, -1))  # It is set back.
    monkeypatch.setattr(metrics_log.time, 'time', lambda: next(clock))
    for start, logged, loss in ((0, range(1, 8), 2.), (5, range(6, 10), 3.)):
      with metrics_log.Events(tmp_path / 'tensorboard', start) as events:
        add(path, start, logged, loss, events=events)
    assert scalars(tmp_path / 'tensorboard') == {
        'metrics/loss': {i: 2. if i <= 5 else 3. for i in range(1, 10)}}

  def test_they_are_on_disk_while_a_run_goes_on(
      self, path, tmp_path, monkeypatch):
    monkeypatch.setattr(metrics_log, 'FLUSH', 0)
    with metrics_log.Events(tmp_path / 'tensorboard', 0) as events:
      add(path, 0, [3], 2., events=events)
      end = time.monotonic() + 20
      while not scalars(tmp_path / 'tensorboard'):
        assert time.monotonic() < end
        time.sleep(.05)
      assert scalars(tmp_path / 'tensorboard') == {'metrics/loss': {3: 2.}}

  def test_a_run_writes_them_if_asked(self, path, tmp_path):
    train.run(tiny.config(steps=4), tmp_path)
    assert not (tmp_path / 'tensorboard').exists()
    train.run(tiny.config(steps=8, tensorboard=True), tmp_path)
    found = scalars(tmp_path / 'tensorboard')['metrics/loss']
    last = metrics_log.Metrics(path, 8, write=False).rows[-1]['loss']
    assert found.keys() == {6, 8} and found[8] == pytest.approx(last)

  def test_without_their_package_there_is_one_line(self, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorboardX', None)
    with pytest.raises(errors.UserError, match='pip install tensorboardX'):
      metrics_log.Events(tmp_path, 0)

  def test_a_full_disk_costs_points_and_one_line(
      self, path, tmp_path, monkeypatch, capsys):
    from tensorboardX import record_writer
    monkeypatch.setattr(record_writer, 'open_file', lambda path: open(  # noqa: SIM115
        '/dev/full', 'wb'))
    with metrics_log.Events(tmp_path / 'tensorboard', 0) as events:
      add(path, 0, range(1, 40), events=events)
    assert steps(path) == list(range(1, 40))
    said, = capsys.readouterr().err.splitlines()
    assert 'tensorboard gets no more points ([Errno 28]' in said
