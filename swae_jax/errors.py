"""What goes wrong, as one line that says what, where, what to do, and a code.

  0    done, or done before
  1    a fault of the program; its traceback is in a file
  2    a request that cannot be carried out
  65   damaged data, or no usable checkpoint
  66   missing data or weights
  70   the training has diverged
  73   the workdir cannot be written
  74   the disk is full, or fails
  75   somebody is in the way; try again later
  124  the watchdog found no progress; the same command goes on
  130  stopped by SIGINT, saved
  143  stopped by SIGTERM, saved; the same command goes on
"""
import contextlib
import errno
import pathlib
import sys
import tempfile
import time
import traceback

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
# The extra that installs a module, as setup.cfg has it.
EXTRAS = {
    'array_record': 'tfds', 'gcsfs': 'gcs', 'importlib_resources': 'tfds',
    'ott': 'sinkhorn', 'tensorboardX': 'tensorboard',
    'tensorflow_datasets': 'tfds',
    **dict.fromkeys((
        'absl', 'chex', 'etils', 'filelock', 'flatbuffers', 'flax', 'jax',
        'jaxlib', 'jinja2', 'matplotlib', 'ml_collections', 'numpy', 'optax',
        'orbax', 'PIL', 'pooch', 'rich', 'safetensors', 'scipy', 'sklearn',
        'tqdm',
        ), 'train')}


class UserError(Exception):
  """A request that cannot be carried out; exit code 2."""
  code = 2


class MissingPackage(UserError, ImportError):
  """A package of an extra is not installed; exit code 2."""


class MissingData(UserError):
  """A file that the request needs is not there; exit code 66."""
  code = 66


class DamagedData(UserError):
  """A file is there, but its content is not what it must be; exit code 65."""
  code = 65


class Diverged(UserError):
  """The loss is not finite; exit code 70."""
  code = 70


class NotWritable(UserError):
  """The workdir cannot be written; exit code 73."""
  code = 73


class SaveFailed(UserError):
  """The disk is full, or fails; exit code 74."""
  code = 74


class Busy(UserError):
  """Another process is in the way, for now; exit code 75."""
  code = 75


class Stopped(UserError):
  """A signal has ended the run; exit code 128 + its number."""

  def __init__(self, text, number):
    super().__init__(text)
    self.code = 128 + number


def chain(error):
  """An error and all those that it comes from, itself first."""
  found = []
  while error is not None and error not in found:
    found.append(error)
    error = error.__cause__ or error.__context__
  return found


def is_full(error):
  """Whether there was no room to write; TensorStore tells it by text only."""
  return any(getattr(e, 'errno', None) in FULL
             or 'No space left' in str(e) or 'Disk quota' in str(e)
             for e in chain(error))


def missing(module):
  """The error that says how to install a module of an extra, or None."""
  module = (module or '').partition('.')[0]
  if module not in EXTRAS:
    return None
  return MissingPackage(f'the package {module} is not installed: '
                        f"pip install 'swae_jax[{EXTRAS[module]}]'")


def explain(error):
  """(exit code, what to say) of an error of any type."""
  text = ' '.join(str(error).split()) or type(error).__name__
  if isinstance(error, UserError):
    return error.code, text
  if isinstance(error, KeyboardInterrupt):
    return 130, 'interrupted'
  if is_full(error):
    return 74, f'disk full: {text}; make room and run the same command'
  if isinstance(error, OSError) and error.errno in REFUSED:
    return 73, f'{text}; give a --workdir that can be written'
  if isinstance(error, OSError) and error.errno == errno.EIO:
    return 74, f'{text}; see to the disk and run the same command'
  if 'RESOURCE_EXHAUSTED' in text or isinstance(error, MemoryError):
    return 2, ('out of memory; try a smaller --config.train.batch_size: '
               f'{text[:200]}')
  return 1, f'{type(error).__name__}: {text[:200]}'


def write_traceback(error, folder):
  """Writes the traceback into a file of the folder, or beside all runs."""
  # One in a bucket may be what has failed, and is no folder here.
  if not folder or not pathlib.Path(folder).is_dir():
    folder = tempfile.gettempdir()
  folder = pathlib.Path(folder)
  path = folder / time.strftime('error-%Y%m%d-%H%M%S.txt')
  path.write_text(''.join(traceback.format_exception(error)))
  return path


def end(error, folder=None, verbose=False):
  """Leaves with one line on what is wrong, and its exit code."""
  if isinstance(error, ModuleNotFoundError):
    error = missing(error.name) or error
  code, text = explain(error)
  if verbose:
    traceback.print_exception(error)
  if not isinstance(error, (UserError, KeyboardInterrupt)):
    try:
      text += f'; the traceback is in {write_traceback(error, folder)}'
    except OSError:  # No room for it, either.
      text += '; --verbose shows the traceback'
  print(f'swae_jax: {text}', file=sys.stderr, flush=True)
  sys.exit(code)


@contextlib.contextmanager
def one_line(folder=None, verbose=False):
  """Ends the program, as `end` does, where its block raises an error."""
  try:
    yield
  except BrokenPipeError:
    raise  # Nobody reads the output any more; a traceback would help nobody.
  except (Exception, KeyboardInterrupt) as e:
    end(e, folder, verbose)
