"""Runs of the command in real processes that need not import anything.

This process imports all that a run does and starts no backend of JAX; each run
is a fork of it, so that a kill costs a second or two instead of six.
"""
import os
import pathlib
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

from absl import app  # noqa: E402
import faults  # noqa: E402
import jax  # noqa: E402
import tiny_config  # noqa: E402, F401

from swae_jax import main  # noqa: E402
from swae_jax.host import output, signals  # noqa: E402

TIME = 120  # Seconds after which a run is taken to hang.


class Run:
  """A command under way."""

  def __init__(self, args, log, fault='', devices=1, out=None,
               close=()):
    """out: what is stdout, the log if None; close: descriptors not to have."""
    self.began, self.log = time.monotonic(), log
    sys.stdout.flush()
    self.pid = os.fork()
    if not self.pid:
      for number in close:
        os.close(number)
      _child(args, log, fault, devices, out)

  def poll(self):
    """The exit code as a shell has it, or None."""
    pid, status = os.waitpid(self.pid, os.WNOHANG)
    if not pid:
      return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code

  def wait(self, seconds=TIME):
    """The exit code, or None after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
      code = self.poll()
      if code is not None:
        return code
      time.sleep(.005)
    return None

  def ended(self, seconds):
    """Whether it has ended within so many seconds, though traced by another."""
    stat = pathlib.Path(f'/proc/{self.pid}/stat')
    end = time.monotonic() + seconds
    while time.monotonic() < end:
      if stat.read_text().rpartition(')')[2].split()[0] == 'Z':
        return True
      time.sleep(.01)
    return False

  def signal(self, number):
    """Sends a signal."""
    os.kill(self.pid, number)

  def said(self):
    """The output so far."""
    return self.log.read_text(errors='replace')


def _child(args, log, fault, devices, out):
  """The command, in the fork; never returns."""
  _redirect(log)
  if out is not None:
    os.dup2(out, 1)
    os.close(out)
  code = 1
  try:
    signals.install()
    jax.config.update('jax_platforms', 'cpu')
    jax.config.update('jax_num_cpu_devices', devices)
    if fault:
      faults.install(faults.asked(fault))
    sys.argv = ['swae_jax', *args]  # Where ml_collections looks, too.
    with output.guarded():
      app.run(main.main, flags_parser=main.parse)
    code = 0
  except SystemExit as e:
    code = e.code or 0
  finally:
    sys.stdout.flush()
    os._exit(code)


def _redirect(log):
  file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
  os.dup2(file, 1)
  os.dup2(file, 2)


def apart(log, function, *args):
  """function(*args) in a fork, which may start a backend; its exit code."""
  sys.stdout.flush()
  pid = os.fork()
  if not pid:
    code = 1
    _redirect(log)
    try:
      jax.config.update('jax_platforms', 'cpu')
      jax.config.update('jax_num_cpu_devices', 8)
      function(*args)
      code = 0
    except BaseException:
      traceback.print_exc()
    finally:
      sys.stdout.flush()
      os._exit(code)
  return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
