"""Signals, in a process that is busy; and the watchdog."""
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
HEAD = """
import hashlib, multiprocessing, os, sys, time
import pathlib, signal
from swae_jax.host import signals, watchdog

def busy():  # One call that Python cannot interrupt, as a compilation.
  hashlib.pbkdf2_hmac('sha256', b'', b'', 10**8)

def tell():
  print('ready', flush=True)

signals.install()
"""


def process(body, ignored='USR2'):
  child = subprocess.Popen(
      ['sh', '-c', f'trap "" {ignored}; exec "$@"', 'sh', sys.executable,
       '-c', HEAD + body], cwd=ROOT, text=True,
      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  line = child.stdout.readline()
  if line != 'ready\n':
    raise AssertionError(line + child.communicate()[1])
  return child


def end(child, code):
  out, err = child.communicate(timeout=20)
  assert child.returncode == code, err
  return out, err


@pytest.mark.parametrize('number', [
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_with_nothing_to_save_it_leaves_at_once(number):
  child = process('tell(); busy()')
  child.send_signal(number)
  _, err = end(child, 128 + number)
  assert f'{number.name}: nothing to save; run the same' in err


@pytest.mark.parametrize('number', [
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_with_something_to_save_the_signal_is_noted(number):
  child = process("""
with signals.saving():
  assert signals.requested() is None
  tell()
  while not signals.requested():
    time.sleep(.01)
  print(signals.requested(), signals.seconds() < 5, flush=True)
  os._exit(7)
""")
  child.send_signal(number)
  assert end(child, 7)[0] == f'{number:d} True\n'


@pytest.mark.parametrize('ignored', ['INT', 'HUP'])
def test_a_signal_that_was_ignored_from_the_start_stays_ignored(ignored):
  child = process('tell(); busy()', ignored)  # like nohup or `script &`
  child.send_signal(signal.Signals[f'SIG{ignored}'])
  time.sleep(.3)
  assert child.poll() is None
  child.send_signal(signal.SIGTERM)
  end(child, 143)


def test_a_second_sigterm_changes_nothing_and_a_later_sigint_leaves():
  body = 'with signals.saving():\n  tell(); busy()'
  child = process(body)
  for number, pause in ((signal.SIGTERM, 0), (signal.SIGTERM, 0),
                        (signal.SIGINT, .7), (signal.SIGINT, 0)):
    assert child.poll() is None
    child.send_signal(number)
    time.sleep(pause)
  assert 'ended at once' in end(child, 130)[1]


@pytest.mark.parametrize('numbers', [
    (signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT),
    (signal.SIGHUP, signal.SIGTERM), (signal.SIGINT, signal.SIGINT)])
def test_signals_that_come_at_once_are_one(numbers):
  child = process("""
with signals.saving():
  tell()
  while not signals.requested():
    time.sleep(.01)
  time.sleep(.2)
  print('saved', flush=True)
  os._exit(7)
""")
  child.send_signal(signal.SIGSTOP)  # Both wait, and are heard at once.
  for number in numbers:
    child.send_signal(number)
  child.send_signal(signal.SIGCONT)
  assert end(child, 7)[0] == 'saved\n'


def test_a_process_that_cannot_save_ends_within_the_limit():
  child = process("""
signals.limit(.5)
with signals.saving():
  tell(); busy()
""")
  began = time.monotonic()
  child.send_signal(signal.SIGTERM)
  said = end(child, 143)[1]
  assert 'could not be saved within 0.5 s (--grace)' in said
  assert time.monotonic() - began < 5


def test_a_pause_ends_with_a_signal():
  child = process("""
with signals.saving():
  tell()
  signals.sleep(15)
  os._exit(7)
""")
  child.send_signal(signal.SIGTERM)
  end(child, 7)


def test_without_an_output_the_signal_still_ends_the_process():
  child = process('os.close(2); tell(); busy()')
  child.send_signal(signal.SIGTERM)
  end(child, 143)


def test_a_signal_after_the_last_look_of_the_loop_is_heeded():
  child = process('with signals.saving():\n  tell(); time.sleep(1)\nbusy()')
  child.send_signal(signal.SIGTERM)
  assert 'SIGTERM: saved' in end(child, 143)[1]


def test_a_worker_that_is_ended_by_a_signal_is_not_this_process():
  child = process("""
worker = multiprocessing.get_context('fork').Process(target=time.sleep,
                                                     args=(30,))
worker.start()
worker.terminate()
worker.join()
time.sleep(.3)
tell()
sys.exit(-worker.exitcode)
""")
  end(child, 15)


def test_the_watchdog_says_where_it_hangs(tmp_path):
  child = process(f"""
with watchdog.Watchdog(.5, pathlib.Path({str(tmp_path)!r})) as dog:
  for _ in range(10):
    time.sleep(.1)
    dog.step_done()
  tell()
  time.sleep(30)
""")
  assert 'no step for 0.5 s' in end(child, 124)[1]
  path, = tmp_path.glob('hang-*.txt')
  assert 'File "<string>"' in path.read_text()


def test_a_watchdog_of_zero_seconds_never_ends_the_process():
  end(process("""
with watchdog.Watchdog(0, pathlib.Path('.')):
  time.sleep(.2)
tell()
"""), 0)


def test_the_watchdog_forgives_a_process_that_was_stopped(tmp_path):
  child = process(f"""
with watchdog.Watchdog(1.5, pathlib.Path({str(tmp_path)!r})) as dog:
  tell()
  for _ in range(30):
    dog.step_done()
    time.sleep(.1)
""")
  child.send_signal(signal.SIGSTOP)
  time.sleep(3)
  child.send_signal(signal.SIGCONT)
  end(child, 0)
