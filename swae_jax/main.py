"""Trains a system: python -m swae_jax.main --config=configs/digits.py.

With --mode=eval the run in --workdir is evaluated once more; a --config then
says by which evaluators, and is not needed.
"""
import pathlib
import re
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from swae_jax import errors
from swae_jax.host import signals

CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'The config, such as configs/mnist.py:wae_mmd.')
WORKDIR = flags.DEFINE_string(
    'workdir', '', 'Where the run is kept; runs/<config.name> if not given.')
MODE = flags.DEFINE_enum(
    'mode', 'train', ('train', 'eval'), 'Train, then evaluate; or only that.')
ALLOW = flags.DEFINE_bool(
    'allow_config_change', False,
    'Go on with options that make the run another one; it is recorded.')
RESTART = flags.DEFINE_bool(
    'restart', False,
    'Begin again; what --workdir holds is moved aside, and not deleted. Give '
    'it once, not to a command that is run again and again.')
WATCHDOG = flags.DEFINE_float(
    'watchdog', 0., 'End with code 124 after so many seconds without a step; '
    '0: never.', lower_bound=0.)
DRY_RUN = flags.DEFINE_bool(
    'dry_run', False, 'Compile, take a few steps and say what the run would '
    'cost in memory, disk and time; nothing is written.')
PRINT_CONFIG = flags.DEFINE_bool(
    'print_config', False, 'Print every option of the run, and end.')
VERBOSE = flags.DEFINE_bool('verbose', False, 'Print tracebacks.')
COORDINATOR = flags.DEFINE_string(
    'coordinator', '', 'host:port of process 0, in a run of several.')
TIMEOUT = flags.DEFINE_integer(
    'timeout', 300, 'How many seconds to wait for the other processes.')
PROCESSES = flags.DEFINE_integer('processes', 1, 'How many processes.')
PROCESS = flags.DEFINE_integer('process', 0, 'Which of them this is.')


def plain(error):
  """The error that a person can use, of all that parsing has wrapped it in."""
  chain = [error]
  while chain[-1].__context__ is not None:
    chain.append(chain[-1].__context__)
  ours = [e for e in chain if isinstance(e, errors.UserError)]
  if ours:
    return ours[0]
  if isinstance(error, AttributeError):  # What ml_collections raises then.
    asked = str(chain[-1]).strip('\'"')
    near = re.search('Did you mean "(.*?)"', str(error))
    return errors.UserError(
        f'--config: there is no option {asked!r}'
        f'{f", did you mean {near[1]!r}?" if near else ""}')
  if isinstance(error, (flags.Error, KeyboardInterrupt)):
    return errors.UserError(error)
  return errors.UserError(f'--config: {type(error).__name__}: {error}')


def parse(argv):
  """Reads the flags and with them the config."""
  try:
    rest = flags.FLAGS(argv)
    evaluates = MODE.value == 'eval'
    if evaluates and not WORKDIR.value:
      raise errors.UserError('--mode=eval needs the --workdir of a run')
    if CONFIG.value is None and not evaluates:
      raise errors.UserError(
          '--config is missing; try --config=configs/digits.py')
    path = config_flags.get_config_filename(
        flags.FLAGS['config']).partition(':')[0]
    if path and not pathlib.Path(path).is_file():
      raise errors.UserError(
          f'--config: there is no file {path}; see configs/, and start from '
          'the root of the repository')
    if rest[1:]:
      raise errors.UserError(f'{rest[1]!r} is no flag; options of a run are '
                             'given as --config.train.epochs=5')
  except Exception as e:  # Many types come from flags and configs.
    errors.end(plain(e), verbose='--verbose' in argv)
  return rest


def unraisable(found):
  """Says what Python cannot raise, but for what Orbax leaves."""
  # After a damaged checkpoint TensorStore calls a loop that has ended.
  if str(found.exc_value) != 'Event loop is closed':
    sys.__unraisablehook__(found)


def main(argv):
  """Trains, or goes on training."""
  del argv
  logging.set_verbosity(logging.WARNING)  # Orbax tells all it does.
  sys.unraisablehook = unraisable
  if PRINT_CONFIG.value:
    return print(CONFIG.value)
  # A mistake in a flag shows before these are loaded.
  from swae_jax.host import console, mesh
  from swae_jax.training import dry_run, evaluation, loop
  from swae_jax.workdir import lock
  try:
    mesh.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value,
                    TIMEOUT.value)
    if MODE.value == 'eval':
      evaluation.load_config(WORKDIR.value)  # Else the lock makes a folder.
      with lock.hold(WORKDIR.value):
        results = evaluation.again(WORKDIR.value, CONFIG.value)
      console.Progress().results(results)
    elif DRY_RUN.value:
      dry_run.dry_run(CONFIG.value, WORKDIR.value)
    else:
      loop.run(CONFIG.value, WORKDIR.value,
                allow_config_change=ALLOW.value, restart=RESTART.value,
                patience=WATCHDOG.value)
  except (Exception, KeyboardInterrupt) as e:  # Here all errors end.
    errors.end(e, WORKDIR.value or f'runs/{CONFIG.value.name}', VERBOSE.value)


if __name__ == '__main__':
  signals.install()
  app.run(main, flags_parser=parse)
