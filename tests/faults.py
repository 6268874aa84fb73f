"""Faults on demand, injected into the functions of the package from outside.

  SWAE_JAX_FAULT=POINT:N[:ACTION] python tests/faults.py --config=... ...

is the main command, and does the action at the N-th pass of a point, or from
then on where N ends in +.  The points are

  step      before a training step
  save      before a checkpoint is written
  rename    when its arrays are written, before it gets its name
  commit    when it is in its place
  prune     while an old one is being deleted
  metrics   before lines of metrics are written
  results   before results.json is written
"""
import collections
import contextlib
import errno
import functools
import os
import signal
import time
from unittest import mock

from absl import app
import orbax.checkpoint as ocp
from orbax.checkpoint._src.path import atomicity

from swae_jax.training import loop
from swae_jax.workdir import files, metrics_log, storage


def fail(number):
  """An action: the write fails with this number of errno."""
  def action():
    raise OSError(number, os.strerror(number))
  return action


ACTIONS = {
    'exit137': lambda: os._exit(137),  # the code after a SIGKILL
    'enospc': fail(errno.ENOSPC),
    'eio': fail(errno.EIO),
    'hang': lambda: time.sleep(3600),
    'sigterm': lambda: os.kill(os.getpid(), signal.SIGTERM),
    'sigint': lambda: os.kill(os.getpid(), signal.SIGINT),
}


def asked(fault):
  """The function of a point that SWAE_JAX_FAULT asks for."""
  where, when, *action = fault.split(':')
  first, passed = int(when.rstrip('+')), collections.Counter()

  def point(name):
    passed[name] += 1
    if name == where and (passed[name] == first or when.endswith('+')
                          and passed[name] > first):
      ACTIONS[action[0] if action else 'exit137']()
  return point


def before(name, owner, attribute, point, when=lambda *args: True):
  """A function that passes a point, and then calls the original one."""
  function = getattr(owner, attribute)

  @functools.wraps(function)
  def passing(*args, **options):
    if when(*args):
      point(name)
    return function(*args, **options)
  return owner, attribute, passing


def patches(point):
  """(owner, name, function) for each function that passes points."""
  save, compiled = ocp.CheckpointManager.save, loop.compiled
  finalize = atomicity.AtomicRenameTemporaryPath.finalize

  def saved(self, *args, **options):
    point('save')
    done = save(self, *args, **options)
    point('commit')
    return done

  async def renamed(self, *args, **options):
    point('rename')
    await finalize(self, *args, **options)

  def stepping(*args):
    step = compiled(*args)

    def passing(*args):
      point('step')
      return step(*args)
    return passing
  return [
      (ocp.CheckpointManager, 'save', saved),
      (atomicity.AtomicRenameTemporaryPath, 'finalize', renamed),
      (loop, 'compiled', stepping),
      before('prune', storage, 'remove', point, lambda path: path.exists()),
      before('metrics', metrics_log.Metrics, 'flush', point,
             lambda self: self.write and self._unwritten),
      before('results', files, 'write_json', point,
             lambda path, value: path.name == 'results.json')]


def install(point):
  """From now on the functions of the package pass the points."""
  for patch in patches(point):
    setattr(*patch)


@contextlib.contextmanager
def installed(point):
  """Within it the functions of the package pass the points."""
  with contextlib.ExitStack() as stack:
    for patch in patches(point):
      stack.enter_context(mock.patch.object(*patch))
    yield


def main():
  """The main command, with the fault that SWAE_JAX_FAULT asks for."""
  from swae_jax import main
  from swae_jax.host import signals
  signals.install()
  install(asked(os.environ['SWAE_JAX_FAULT']))
  app.run(main.main, flags_parser=main.parse)


if __name__ == '__main__':
  main()
