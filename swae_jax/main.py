"""Trains a system: python -m swae_jax.main --config=configs/digits.py."""
import pathlib
import re
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from swae_jax import errors

CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'The config, such as configs/mnist.py:wae_mmd.')
WORKDIR = flags.DEFINE_string(
    'workdir', '', 'Where the run is kept; runs/<config.name> if not given.')
COORDINATOR = flags.DEFINE_string(
    'coordinator', '', 'host:port of process 0, in a run of several.')
PROCESSES = flags.DEFINE_integer('processes', 1, 'How many processes.')
PROCESS = flags.DEFINE_integer('process', 0, 'Which of them this is.')


def end(error):
  """Leaves with one line on what is wrong."""
  text = ' '.join(str(error).split()) or type(error).__name__
  print(f'swae_jax: {text}', file=sys.stderr, flush=True)
  sys.exit(getattr(error, 'code', 2))


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
  return error


def parse(argv):
  """Reads the flags and with them the config."""
  try:
    rest = flags.FLAGS(argv)
    if CONFIG.value is None:
      raise errors.UserError(
          '--config is missing; try --config=configs/digits.py')
    path = config_flags.get_config_filename(
        flags.FLAGS['config']).partition(':')[0]
    if not pathlib.Path(path).is_file():
      raise errors.UserError(
          f'--config: there is no file {path}; see configs/, and start from '
          'the root of the repository')
    if rest[1:]:
      raise errors.UserError(f'{rest[1]!r} is no flag; options of a run are '
                             'given as --config.train.epochs=5')
  except Exception as e:  # Many types come from flags and configs.
    end(plain(e))
  return rest


def main(argv):
  """Trains, or goes on training."""
  del argv
  logging.set_verbosity(logging.WARNING)  # Orbax tells all it does.
  from swae_jax import mesh, train  # A mistake in a flag shows before these.
  try:
    mesh.initialize(COORDINATOR.value, PROCESSES.value, PROCESS.value)
    train.run(CONFIG.value, WORKDIR.value)
  except errors.UserError as e:
    end(e)


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
