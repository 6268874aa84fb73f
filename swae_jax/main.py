"""Trains a system: python -m swae_jax.main --config=configs/digits.py.

With --mode=eval the run in --workdir is evaluated once more, by its own
evaluators and those that --config.evals.NAME.run=True turns on.
"""
import pathlib
import re
import sys

from swae_jax import errors
from swae_jax.host import signals

with errors.one_line():  # The extra `train` may not be installed.
  from absl import app, flags, logging
  from ml_collections import config_flags

CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'The config, such as configs/mnist.py:wae_mmd.')
WORKDIR = flags.DEFINE_string(
    'workdir', '', 'Where the run is kept; runs/<config.name> if not given.')
MODE = flags.DEFINE_enum(
    'mode', 'train', ('train', 'eval'), 'Train and evaluate, or only evaluate.')
ALLOW = flags.DEFINE_bool(
    'allow_config_change', False,
    'Go on although changed options make the run another one; the change is '
    'recorded.')
RESTART = flags.DEFINE_bool(
    'restart', False,
    'Begin again; the old run in --workdir is moved aside, not deleted. Give '
    'this flag once, not to a command that is repeated automatically.')
WATCHDOG = flags.DEFINE_float(
    'watchdog', 0., 'End with code 124 after so many seconds without a step; '
    '0: never.', lower_bound=0.)
DRY_RUN = flags.DEFINE_bool(
    'dry_run', False, 'Compile, take a few steps and say what the run would '
    'cost in memory, disk and time; nothing is written.')
PRINT_CONFIG = flags.DEFINE_bool(
    'print_config', False, 'Print the options of the chosen parts, and end.')
VERBOSE = flags.DEFINE_bool('verbose', False, 'Print tracebacks.')
COORDINATOR = flags.DEFINE_string(
    'coordinator', '', 'host:port of process 0, in a run of several processes.')
TIMEOUT = flags.DEFINE_integer(
    'timeout', 300, 'How many seconds to wait for the other processes.')
PROCESSES = flags.DEFINE_integer('processes', 1, 'How many processes.')
PROCESS = flags.DEFINE_integer('process', 0, 'Which of the processes this is.')


def plain(error: BaseException) -> errors.UserError:
  """The error that a person can act on, among those that wrap it."""
  chain = [error]
  while chain[-1].__context__ is not None:
    chain.append(chain[-1].__context__)
  ours = [e for e in chain if isinstance(e, errors.UserError)]
  if ours:
    return ours[0]
  if isinstance(error, (AttributeError, KeyError)):  # From ml_collections.
    asked = str(chain[-1]).strip('\'"')
    near = re.search('Did you mean "(.*?)"', str(error))
    return errors.UserError(
        f'--config: there is no option {asked!r}'
        f'{f", did you mean {near[1]!r}?" if near else ""}')
  found = re.match(r'flag --config\.([\w.]+)=(.*?): ', str(error), re.DOTALL)
  if found:
    from swae_jax.training import config as config_lib
    return config_lib.mistyped(found[1], found[2])
  if isinstance(error, (flags.Error, KeyboardInterrupt)):
    return errors.UserError(error)
  return errors.UserError(f'--config: {type(error).__name__}: {error}')


def with_config_file(argv: list[str]) -> list[str]:
  """The flags with the path of the config file as it is.

  configs/NAME.py, where there is no such file, is the one that comes with the
  package.  Raises UserError where there is none either.
  """
  argv = list(argv)
  for i, arg in enumerate(argv[1:], 1):
    name, equals, value = arg.lstrip('-').partition('=')
    if arg == '--':
      break
    if name == 'config' and arg.startswith('-'):
      at = i if equals else min(i + 1, len(argv) - 1)
      value = value if equals else argv[at]
      path, colon, setting = value.partition(':')
      found = pathlib.Path(path)
      if not found.is_file() and found.parent.name == 'configs':
        from swae_jax.training import shipped
        found = shipped.find(found.stem)
      elif not found.is_file():
        raise errors.UserError(
            f'--config={value}: there is no file {path!r}; try '
            '--config=configs/digits.py')
      argv[at] = f'{"--config=" if equals else ""}{found}{colon}{setting}'
  return argv


def parse(argv: list[str]) -> list[str]:
  """Reads the flags and with them the config."""
  try:
    argv = with_saved_config(with_config_file(argv))
    rest = flags.FLAGS(argv)
    if MODE.value == 'eval' and not WORKDIR.value:
      raise errors.UserError('--mode=eval needs the --workdir of a run')
    if CONFIG.value is None:
      raise errors.UserError(
          '--config is missing; try --config=configs/digits.py')
    if rest[1:]:
      raise errors.UserError(f'{rest[1]!r} is no flag; options of a run are '
                             'given as --config.train.epochs=5')
    from swae_jax.training import choice
    choice.settle(CONFIG.value, config_flags.get_override_values(
        flags.FLAGS['config']))
    choice.chosen(CONFIG.value)
  except Exception as e:  # Many types come from flags and configs.
    errors.end(plain(e), verbose='--verbose' in argv)
  return rest


def with_saved_config(argv: list[str]) -> list[str]:
  """The flags; --mode=eval without --config takes the config of the run."""
  values = dict(arg.lstrip('-').partition('=')[::2] for arg in argv[1:])
  if values.get('mode') != 'eval' or 'config' in values:
    return argv
  if not values.get('workdir'):
    raise errors.UserError('--mode=eval needs the --workdir of a run')
  from swae_jax.training import saved_config
  return [argv[0], f'--config={saved_config.__file__}:{values["workdir"]}',
          *argv[1:]]


def unraisable(found) -> None:
  """Says what Python cannot raise, except for a known case of Orbax."""
  # After a damaged checkpoint TensorStore calls a loop that has ended.
  if str(found.exc_value) != 'Event loop is closed':
    sys.__unraisablehook__(found)


def main(argv: list[str]) -> None:
  """Trains, or goes on training."""
  del argv
  logging.set_verbosity(logging.WARNING)  # Orbax logs all that it does.
  sys.unraisablehook = unraisable
  # A mistake in a flag shows before these are loaded.
  from swae_jax.host import console, mesh
  from swae_jax.training import choice, dry_run, evaluation, train
  from swae_jax.workdir import folder, lock, storage
  if PRINT_CONFIG.value:
    return print(choice.chosen(CONFIG.value))
  try:
    mesh.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value,
                    TIMEOUT.value)
    if MODE.value == 'eval':
      workdir = storage.path(WORKDIR.value)
      folder.read_config(workdir)  # The lock would make a folder.
      with lock.hold(workdir):
        results = evaluation.again(workdir, CONFIG.value)
      console.Console().results(results, workdir)
    elif DRY_RUN.value:
      dry_run.dry_run(CONFIG.value, WORKDIR.value)
    else:
      train.run(CONFIG.value, WORKDIR.value,
                allow_config_change=ALLOW.value, restart=RESTART.value,
                patience=WATCHDOG.value)
  except (Exception, KeyboardInterrupt) as e:  # All errors end here.
    errors.end(e, WORKDIR.value or f'runs/{CONFIG.value.name}', VERBOSE.value)


def run() -> None:
  """The command."""
  signals.install()
  app.run(main, flags_parser=parse)


if __name__ == '__main__':
  run()
