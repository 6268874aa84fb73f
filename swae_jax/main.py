"""Trains a system and evaluates it.

  swae train --config=configs/digits.py
  swae train --config=configs/digits.py:wae_mmd --config.train.epochs=5
  swae eval --workdir=runs/digits-swae --config.evals.tsne.run=True

--config=FILE:SETTING chooses a setting of the file.  --config.NAME=VALUE sets
an option; --print_config shows all options of the chosen parts.  If the workdir
holds the run already, the same command goes on with the run.

`swae eval` is `swae train --mode=eval`: it evaluates the run in --workdir once
more, by the evaluators of the run and those that --config.evals.NAME.run=True
turns on.
"""
import re
import sys

from swae_jax.host import signals

if __name__ == '__main__':
  signals.install()  # Before the slow imports.

from swae_jax import errors  # noqa: E402
from swae_jax.host import output  # noqa: E402

with errors.one_line():  # The extra `train` may not be installed.
  from absl import app, flags, logging
  from ml_collections import config_flags

CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'The config file and a setting in it, such as '
    'configs/mnist.py:wae_mmd.')
WORKDIR = flags.DEFINE_string(
    'workdir', '', 'The folder of the run; runs/<config.name> if not given.')
MODE = flags.DEFINE_enum(
    'mode', 'train', ('train', 'eval'), 'Train and evaluate, or only evaluate.')
ALLOW = flags.DEFINE_bool(
    'allow_config_change', False,
    'Go on even if changed options or data alter the training of the run in '
    '--workdir; the run records the change.')
RESTART = flags.DEFINE_bool(
    'restart', False,
    'Move the old run in --workdir aside (it is not deleted) and begin again. '
    'Do not give this flag to a command that a script repeats.')
WATCHDOG = flags.DEFINE_float(
    'watchdog', 0., 'End with code 124 after this many seconds without a '
    'step; 0 never ends.')
GRACE = flags.DEFINE_float(
    'grace', 10., 'After a signal end within this many seconds, saved or not.')
DRY_RUN = flags.DEFINE_bool(
    'dry_run', False, 'Compile, take a few steps and print the memory, disk '
    'and time that the run needs; write nothing.')
PRINT_CONFIG = flags.DEFINE_bool(
    'print_config', False, 'Print the options of the chosen parts, and end.')
VERBOSE = flags.DEFINE_bool('verbose', False, 'Print the traceback of an '
    'error.')
COORDINATOR = flags.DEFINE_string(
    'coordinator', '', 'HOST:PORT of process 0, in a run of several processes.')
TIMEOUT = flags.DEFINE_integer(
    'timeout', 300, 'Seconds to wait for the other processes.')
PROCESSES = flags.DEFINE_integer('processes', 1, 'The number of processes.')
PROCESS = flags.DEFINE_integer('process', 0, 'The number of this process, '
    'from 0.')
LIMITS = ((WATCHDOG, 0, 10**8), (GRACE, 1, 10**8), (TIMEOUT, 1, 10**8),
          (PROCESSES, 1, 10**6), (PROCESS, 0, 10**6))


def plain(error: BaseException) -> errors.UserError:
  """The error that a person can act on, among those that wrap it."""
  chain = [error]
  while chain[-1].__context__ is not None:
    chain.append(chain[-1].__context__)
  ours = [e for e in chain if isinstance(e, errors.UserError)]
  if ours:
    return ours[0]
  found = re.match(r'flag --config\.([\w.]+)=(.*?): ', str(error), re.DOTALL)
  if found:
    from swae_jax.training import config as config_lib
    return config_lib.mistyped(found[1], found[2])
  if isinstance(error, flags.Error) and 'Traceback' not in str(error):
    return errors.UserError(error)
  # ml_collections puts the traceback of a config file into its own message.
  cause = next((e for e in chain if 'Traceback' not in str(e)), chain[-1])
  return errors.UserError(f'--config: {type(cause).__name__}: {cause}')


def check_names(argv: list[str]) -> None:
  """Refuses --config.OPTION=VALUE if no config has the option."""
  given = [arg.lstrip('-').partition('=') for arg in argv[1:]
           if re.match('--?config\\.', arg)]
  if not given:
    return
  from swae_jax.training import config as config_lib
  config = config_lib.defaults()
  for name, _, value in given:
    config_lib.find(config, name.removeprefix('config.'), value)


def with_config_file(argv: list[str]) -> list[str]:
  """The flags with the true path of the config file.

  If there is no file configs/NAME.py, the path becomes that of the file which
  comes with the package.  Raises UserError if the package has no such file.
  """
  argv = list(argv)
  for i, arg in enumerate(argv[1:], 1):
    name, equals, value = arg.lstrip('-').partition('=')
    if arg == '--':
      break
    if name == 'config' and arg.startswith('-'):
      at = i if equals else i + 1
      value = value if equals else ''.join(argv[at:at + 1])
      if not value or value.startswith('-'):
        raise errors.UserError(
            '--config names no file; try --config=configs/digits.py')
      path, colon, setting = value.partition(':')
      found = errors.path(path)
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
    check_names(argv)
    rest = flags.FLAGS(argv)
    for flag, least, most in LIMITS:
      if not least <= flag.value <= most:
        raise errors.UserError(f'--{flag.name}={flag.value}: it must lie in '
                               f'[{least}, {most}]')
    if MODE.value == 'eval' and not WORKDIR.value:
      raise errors.UserError('--mode=eval needs the --workdir of a run')
    if CONFIG.value is None:
      raise errors.UserError(
          '--config is missing; try --config=configs/digits.py')
    if rest[1:]:
      raise errors.UserError(f'{rest[1]!r} is no flag; set options of a run '
                             'as in --config.train.epochs=5')
    from swae_jax.training import choice
    choice.settle(CONFIG.value, config_flags.get_override_values(
        flags.FLAGS['config']))
    choice.chosen(CONFIG.value)
  except Exception as e:  # Flags and configs raise many types.
    errors.end(plain(e), verbose='--verbose' in argv)
  return rest


def with_saved_config(argv: list[str]) -> list[str]:
  """The flags; --mode=eval without --config takes the config of the run."""
  values = {}
  for arg, following in zip(argv[1:], [*argv[2:], ''], strict=False):
    name, equals, value = arg.lstrip('-').partition('=')
    values[name] = value if equals else following
  if values.get('mode') != 'eval' or 'config' in values:
    return argv
  if not values.get('workdir'):
    raise errors.UserError('--mode=eval needs the --workdir of a run')
  from swae_jax.training import saved_config
  return [argv[0], f'--config={saved_config.__file__}:{values["workdir"]}',
          *argv[1:]]


def unraisable(found) -> None:
  """Prints an error that Python cannot raise, except a known one of Orbax."""
  # After a damaged checkpoint TensorStore calls an event loop that has ended.
  if str(found.exc_value) != 'Event loop is closed':
    sys.__unraisablehook__(found)


def main(argv: list[str]) -> None:
  """Trains, or goes on training."""
  del argv
  # Orbax logs every action, and a traceback of each failure; ours is one line.
  logging.set_verbosity(logging.FATAL)
  sys.unraisablehook = unraisable
  # These load slowly, and a mistake in a flag shows before.
  from swae_jax.host import console, mesh
  from swae_jax.training import choice, dry_run, evaluation, train
  from swae_jax.workdir import storage
  signals.limit(GRACE.value)
  if PRINT_CONFIG.value:
    return print(choice.chosen(CONFIG.value))
  try:
    mesh.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value,
                    TIMEOUT.value)
    if MODE.value == 'eval':
      workdir = storage.path(WORKDIR.value)
      results = evaluation.again(
          workdir, CONFIG.value, allow_config_change=ALLOW.value)
      console.Console().results(results, workdir)
    elif DRY_RUN.value:
      dry_run.dry_run(CONFIG.value, WORKDIR.value,
                      allow_config_change=ALLOW.value, restart=RESTART.value)
    else:
      train.run(CONFIG.value, WORKDIR.value,
                allow_config_change=ALLOW.value, restart=RESTART.value,
                patience=WATCHDOG.value)
  except (Exception, KeyboardInterrupt) as e:  # All errors end here.
    errors.end(e, WORKDIR.value or f'runs/{CONFIG.value.name}', VERBOSE.value)


def run() -> None:
  """The command."""
  signals.install()
  with output.guarded():
    app.run(main, flags_parser=parse)


if __name__ == '__main__':
  run()
