"""The output that a person sees of a run."""
import io
import re
import sys
import types

import jax.numpy as jnp
import pytest
import rich.console

from swae_jax.host import console as console_lib
from swae_jax.systems import base

METRICS = {'loss': 1.23456, 'reconstruction': 1.2, 'sliced': 1e-7}


def test_a_table_is_aligned():
  text = console_lib.table(
      [('encoder', 12, '1,234'), ('d', 3, '5'), ('a [b] long name', 1000, '')],
      ('part', 'n', 'numbers'))
  assert text.split('\n') == ['part                n  numbers',
                              'encoder            12    1,234',
                              'd                   3        5',
                              'a [b] long name  1000']
  assert console_lib.table([], ('metric', 'value')) == 'metric  value'


def test_parameters_add_up():
  params = {
      'model': {'encoder': {'kernel': jnp.zeros((30, 40)),
                            'bias': jnp.zeros(40)},
                'pseudo_inputs': jnp.zeros((5, 2))},
      'critic': {'dense': {'kernel': jnp.zeros(7)}}}
  variables = base.Variables(params, {'mean': jnp.ones(9)})
  assert console_lib.parameters(variables) == [
      ('model/encoder', 2, '1,240'), ('model/pseudo_inputs', 1, '10'),
      ('critic/dense', 1, '7'), ('total', 4, '1,257')]


@pytest.mark.parametrize('value, text', [
    (.98765, '0.9877'), (29.04, '29.04'), (12345.67, '12,345.7'),
    (0., '0.0000'), (-.00012, '-0.00012'), (1e-9, '1e-09'),
    (float('nan'), 'nan'), (3e12, '3e+12')])
def test_a_metric_shows_digits_that_say_something(value, text):
  assert console_lib.number(value) == text


@pytest.mark.parametrize('seconds, text', [
    (.4, '0:00'), (59.6, '1:00'), (119.7, '2:00'), (3599.8, '1:00:00'),
    (7265, '2:01:05')])
def test_a_duration_has_less_than_sixty_seconds(seconds, text):
  assert console_lib.duration(seconds) == text


@pytest.fixture
def clock(monkeypatch):
  """A function that lets time pass."""
  now = [100.]
  monkeypatch.setattr(
      console_lib, 'time', types.SimpleNamespace(monotonic=lambda: now[0]))
  return lambda seconds: now.__setitem__(0, now[0] + seconds)


class Terminal(io.StringIO):
  """A stream that a person looks at."""

  def isatty(self):
    return True


@pytest.fixture
def terminal(monkeypatch):
  """A function that puts a terminal in the place of stdout."""
  def begin():  # In the test: pytest sets stdout after the fixtures.
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '80')
    monkeypatch.setattr(sys, 'stdout', Terminal())
    return sys.stdout
  return begin


def begun(step=0, steps=1000, batch_size=50, **options):
  console = console_lib.Console(**options)
  console.begin(step, steps, batch_size)
  return console


def test_plain_lines_tell_the_pace_without_the_compiler(clock, capsys):
  console = begun(40)
  clock(60)
  console.step(50, METRICS)
  clock(2)
  console.step(60, {'loss': 2.})
  clock(4)
  console.step(100, {'loss': float('nan')})
  assert capsys.readouterr().out.splitlines() == [
      'step 50/1000 loss 1.235 reconstruction 1.2 sliced 1e-07',
      'step 60/1000 loss 2 | 250 images/s, 3:08 to go',
      'step 100/1000 loss nan | 417 images/s, 1:48 to go']


def test_slow_steps_are_not_silent(clock, capsys):
  console = begun()
  for step in range(1, 31):
    console.tick(step)
    if step == 3:
      console.step(3, {'loss': 7.})
    clock(2.5)
  assert capsys.readouterr().out.splitlines() == [
      'step 3/1000 loss 7 | 20 images/s, 41:32 to go',
      'step 15/1000 loss 7 | 20 images/s, 41:02 to go',
      'step 27/1000 loss 7 | 20 images/s, 40:32 to go']


@pytest.mark.parametrize('width, others', [
    (40, []), (80, []), (94, ['reconstruction 1.2']),
    (120, ['reconstruction 1.2', 'sliced 1e-07'])])
def test_the_line_of_progress_fits_the_terminal(
    width, others, clock, terminal):
  terminal()
  console = begun(steps=24000)
  console.step(10, METRICS)
  clock(2)
  console.step(110, METRICS)
  console.close()
  file = io.StringIO()
  rich.console.Console(file=file, width=width).print(console)
  line, = file.getvalue().splitlines()
  assert len(line) <= width
  if width >= 80:  # Loss first, then rate and time to go; the bar is last.
    assert re.fullmatch('  '.join([
        'loss 1.235', '2,500 images/s', '7:58 to go', *others, '[━╸ ]{8,}',
        '110/24000 *']), line), line
    assert len(line.rstrip()) >= width - 2


def test_a_terminal_has_one_line_of_progress(terminal, clock):
  there = terminal()
  console = begun(5, 20, 100)
  with console:
    for step in (10, 15, 20):
      clock(1)
      console.tick(step)
      console.step(step, {'loss': step / 3})
    console.valid(20, 3., True)
  said = there.getvalue()
  assert 'loss 6.667' in said and '20/20' in said
  assert 'step 20/20 valid loss 3.0000, the best so far\n' in said
  assert said.endswith('\n\x1b[?25h')  # A whole line, and the cursor.
  assert sys.stdout is there


@pytest.mark.parametrize('notebook', [False, True])
def test_elsewhere_there_are_plain_lines(notebook, monkeypatch, capsys):
  monkeypatch.setattr(rich.console, '_is_jupyter', lambda: notebook)
  console = begun(steps=20)
  console.step(20, {'loss': 1.})
  console.valid(20, 3.14159, False)
  console.valid(20, 3.14159, True)
  assert capsys.readouterr().out.splitlines() == [
      'step 20/20 loss 1', 'step 20/20 valid loss 3.1416',
      'step 20/20 valid loss 3.1416, the best so far']


def test_a_quiet_process_says_nothing(terminal):
  there = terminal()
  console = begun(quiet=True)
  console.line('x')
  console.step(20, {'loss': 1.})
  console.valid(20, 1., True)
  console.finished({'step': 20, 'metrics': [], 'pictures': []}, 'runs/a')
  assert there.getvalue() == ''


def test_results_name_samples_pictures_and_the_next_commands(capsys):
  console_lib.Console().finished({
      'step': 20, 'pictures': ['images/samples.png'], 'metrics': [
          {'name': 'knn5_accuracy', 'value': .98765, 'samples': 300},
          {'name': 'mse', 'value': 1234.5, 'samples': 10000}]}, 'runs/a b')
  assert capsys.readouterr().out.splitlines() == [
      'already finished at step 20: runs/a b', '',
      'metric           value  samples',
      'knn5_accuracy   0.9877      300',
      'mse            1,234.5   10,000', '',
      'picture   runs/a b/images/samples.png', '',
      'next',
      "  swae report --workdir='runs/a b'",
      "  swae apply sample --workdir='runs/a b' --n=64 --output=grid.png",
      '  python -c "import swae_jax; '
      "print(swae_jax.load('runs/a b').sample(4).shape)\""]
