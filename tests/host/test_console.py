"""What a person sees of a run."""
import io
import re
import sys

import jax.numpy as jnp
import pytest

from swae_jax.host import console
from swae_jax.systems import base


def test_a_table_is_aligned():
  text = console.table(
      [('encoder', 12, '1,234'), ('d', 3, '5'), ('a long name', 1000, '')],
      ('part', 'n', 'numbers'))
  assert text.split('\n') == ['part            n  numbers',
                              'encoder        12    1,234',
                              'd               3        5',
                              'a long name  1000         ']


def test_a_table_without_rows_is_its_head():
  assert console.table([], ('metric', 'value')) == 'metric  value'


def test_parameters_add_up():
  params = {
      'model': {'encoder': {'kernel': jnp.zeros((30, 40)),
                            'bias': jnp.zeros(40)},
                'pseudo_inputs': jnp.zeros((5, 2))},
      'critic': {'dense': {'kernel': jnp.zeros(7)}}}
  assert console.parameters(base.Variables(params, {'mean': jnp.ones(9)})) == [
      ('model/encoder', 2, '1,240'), ('model/pseudo_inputs', 1, '10'),
      ('critic/dense', 1, '7'), ('total', 4, '1,257')]


@pytest.fixture
def clock(monkeypatch):
  """A function that lets time pass."""
  now = [100.]
  monkeypatch.setattr(console.time, 'monotonic', lambda: now[0])
  return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_plain_lines_tell_the_pace(clock, capsys):
  say = console.Progress()
  say.begin(40, 1000, 50)
  clock(60)  # The compiler's time is not the pace.
  say.step(50, {'loss': 1.23456, 'mmd': 1e-7})
  clock(2)
  say.step(60, {'loss': 2.})
  clock(4)
  say.step(100, {'loss': float('nan')})
  assert capsys.readouterr().out.splitlines() == [
      'step 50/1000 loss 1.235 mmd 1e-07',
      'step 60/1000 loss 2 | 250 images/s, 3:08 to go',
      'step 100/1000 loss nan | 417 images/s, 1:48 to go']


@pytest.mark.parametrize('seconds', [.4, 59.4, 59.6, 119.7, 3599.8])
def test_the_time_to_go_has_less_than_sixty_seconds(seconds, clock, capsys):
  say = console.Progress()
  say.begin(0, 3, 1)
  say.step(1, {})
  clock(seconds)
  say.step(2, {})
  minutes, rest = re.search(
      r'(\d+):(\d\d) to go', capsys.readouterr().out).groups()
  assert int(rest) < 60
  assert abs(60 * int(minutes) + int(rest) - seconds) <= .5


class Terminal(io.StringIO):
  """A stream that a person looks at."""

  def isatty(self):
    return True


def test_a_terminal_has_a_bar_instead_of_lines(monkeypatch, capsys):
  monkeypatch.setattr(sys, 'stderr', Terminal())
  say = console.Progress()
  say.begin(5, 20, 100)
  for step in (10, 15, 20):
    assert say.bar.n == say.last and not say.bar.disable
    say.step(step, {'loss': step / 3})
  assert capsys.readouterr().out == ''
  say.results({'metrics': [], 'pictures': []})  # Early stopping ends it, too.
  assert say.bar.disable  # Closed.
  assert '5/20' in sys.stderr.getvalue() and '20/20' in sys.stderr.getvalue()
  assert 'loss 6.667' in sys.stderr.getvalue()


def test_lines_do_not_break_the_bar(monkeypatch, capsys):
  monkeypatch.setattr(sys, 'stderr', Terminal())
  say = console.Progress()
  say.begin(0, 20, 100)
  written = []
  monkeypatch.setattr(say.bar, 'write', written.append)
  say.valid(10, 3., True)
  assert written == ['step 10/20 valid loss 3.0000, the best so far']
  assert capsys.readouterr().out == ''
  say.bar.close()


def test_elsewhere_there_is_no_bar(monkeypatch, capsys):
  monkeypatch.setattr(sys, 'stderr', io.StringIO())
  say = console.Progress()
  say.begin(0, 20, 100)
  say.step(20, {'loss': 1.})
  say.valid(20, 3.14159, False)
  say.valid(20, 3.14159, True)
  assert say.bar is None and sys.stderr.getvalue() == ''
  assert capsys.readouterr().out.splitlines() == [
      'step 20/20 loss 1', 'step 20/20 valid loss 3.1416',
      'step 20/20 valid loss 3.1416, the best so far']


def test_a_quiet_process_says_nothing(monkeypatch, capsys):
  monkeypatch.setattr(sys, 'stderr', Terminal())
  say = console.Progress(quiet=True)
  say.line('x')
  say.begin(0, 20, 100)
  say.step(20, {'loss': 1.})
  say.valid(20, 1., True)
  say.finished({'step': 20, 'metrics': [], 'pictures': []}, 'runs/a')
  assert capsys.readouterr().out == sys.stderr.getvalue() == ''


def test_results_name_their_samples_and_pictures(capsys):
  console.Progress().finished({
      'step': 20, 'pictures': ['runs/a/images/samples.png'], 'metrics': [
          {'name': 'knn5_accuracy', 'value': .98765, 'samples': 300},
          {'name': 'mse', 'value': 1234.5, 'samples': 10000}]}, 'runs/a')
  assert capsys.readouterr().out.splitlines() == [
      'already finished at step 20: runs/a',
      'metric             value  samples',
      'knn5_accuracy     0.9877      300',
      'mse            1234.5000    10000',
      'picture   runs/a/images/samples.png']
