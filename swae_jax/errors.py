"""Errors that a person can act on: each is one line with an exit code.

The line says what is wrong, where, and what to do.

  0    done, or done before
  1    a fault of the program; a file holds its traceback
  2    a request that cannot be carried out
  65   damaged data, or no usable checkpoint
  66   missing data or weights
  70   the training has diverged
  73   the workdir cannot be written
  74   the disk is full, or fails; or all is done, but not all is printed
  75   another process uses the run; try again later
  124  the watchdog saw no step for too long; the same command goes on
  129  stopped by SIGHUP; the same command goes on
  130  stopped by SIGINT; the same command goes on
  141  all is done, but the reader of the output has ended
  143  stopped by SIGTERM; the same command goes on
"""
from collections.abc import Iterator
import contextlib
import errno
import os
import pathlib
import re
import sys
import tempfile
import time
import traceback
from typing import Any, NoReturn

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
LONGEST = 2000  # Letters of an error.
# A path that a person gave cannot be what it must be.
UNFIT = (errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG,
         errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ)
NAME_MAX, PATH_MAX = 255, 3800  # bytes; a run adds names to its own
# What storage says that fails, for a while or for good; what it holds may be
# right.
FAILING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENXIO, errno.ENODEV,
           errno.EBUSY, errno.EAGAIN, errno.EMFILE, errno.ENFILE,
           errno.ENOTCONN, errno.ECONNRESET, errno.ECONNABORTED,
           errno.ECONNREFUSED, errno.ENETDOWN, errno.ENETUNREACH,
           errno.EHOSTDOWN, errno.EHOSTUNREACH)
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
  """Another process uses the run at the moment; exit code 75."""
  code = 75


class Stopped(UserError):
  """A signal has ended the run; exit code 128 + the number of the signal."""

  def __init__(self, text: str, number: int):
    super().__init__(text)
    self.code = 128 + number


def chain(error: BaseException | None) -> list[BaseException]:
  """The error, its cause, the cause of the cause and so on."""
  found: list[BaseException] = []
  while error is not None and error not in found:
    found.append(error)
    error = error.__cause__ or error.__context__
  return found


def printable(text: Any, lines: bool = False) -> str:
  r"""Text for a terminal: names of others may hold what terminals obey.

  Characters that cannot be seen become escapes such as \x1b, and so do line
  breaks, unless `lines` is true.
  """
  text = str(text)
  if text.isprintable():
    return text
  return ''.join(
      c if c.isprintable() or lines and c == '\n'
      else c.encode('unicode_escape').decode() for c in text)


def path(name: str | os.PathLike[str]) -> pathlib.Path:
  """The path on a disk of a user's text; ~ is the home folder.

  Raises:
    UserError: no file can have this name.
  """
  try:
    found = pathlib.Path(name).expanduser()
    os.fspath(found).encode()  # The files of a run hold names as UTF-8.
    if '\0' in os.fspath(found):
      raise ValueError('it has a zero byte')
  except UnicodeEncodeError:
    raise UserError(f'{os.fspath(name)!r}: the name is not UTF-8') from None
  except (RuntimeError, ValueError) as e:
    raise UserError(f'{os.fspath(name)!r} is no path: {e}') from e
  length = max(map(len, map(os.fsencode, found.parts)), default=0)
  if length > NAME_MAX or len(os.fsencode(found)) > PATH_MAX:
    raise UserError(f'{os.fspath(name)[:40]}...: the name is too long')
  return found


def is_full(error: BaseException) -> bool:
  """Whether the disk was full.  TensorStore tells it only in its text."""
  return any(getattr(e, 'errno', None) in FULL
             or 'No space left' in str(e) or 'Disk quota' in str(e)
             for e in chain(error))


def storage_fault(error: BaseException) -> int | None:
  """The number of a failure of the storage, or None.

  TensorStore tells it only in its text.
  """
  for e in chain(error):
    for number in FAILING:
      if getattr(e, 'errno', None) == number or os.strerror(number) in str(e):
        return number
    if 'UNAVAILABLE:' in str(e) or 'DEADLINE_EXCEEDED:' in str(e):
      return errno.EIO  # A bucket.
  return None


def missing(module: str | None) -> MissingPackage | None:
  """The error that tells how to install a module; None if no extra has it."""
  module = (module or '').partition('.')[0]
  if module not in EXTRAS:
    return None
  return MissingPackage(f'the package {module} is not installed: '
                        f"pip install 'swae_jax[{EXTRAS[module]}]'")


def explain(error: BaseException) -> tuple[int, str]:
  """The exit code and the line for an error of any type."""
  text = ' '.join(str(error).split()) or type(error).__name__
  if isinstance(error, UserError):
    return error.code, text
  if isinstance(error, KeyboardInterrupt):
    return 130, 'interrupted'
  if is_full(error):
    return 74, f'disk full: {text}; make room and run the same command'
  if isinstance(error, OSError) and error.errno in REFUSED:
    return 73, f'{text}; give a --workdir that can be written'
  if isinstance(error, OSError) and error.errno in FAILING:
    return 74, f'{text}; check the disk and run the same command'
  if isinstance(error, OSError) and error.errno in UNFIT and error.filename:
    return 2, f'{text}; give another path'
  if 'RESOURCE_EXHAUSTED' in text or isinstance(error, MemoryError):
    return 2, ('out of memory; try a smaller --config.train.batch_size, or '
               f'fewer or smaller examples: {text[:200]}')
  if isinstance(error, ValueError) and re.search(
      "JAX flag jax_|environment 'JAX_", text):
    return 2, f'{text}; unset the variable'
  return 1, f'{type(error).__name__}: {text[:200]}'


def write_traceback(error: BaseException, folder: Any = None) -> pathlib.Path:
  """Writes the traceback into a new file; returns its path.

  Args:
    error: the error.
    folder: the folder of the file.  If it is not a local folder (a bucket, for
      example), the file goes to the temporary folder.
  """
  if not folder or not pathlib.Path(folder).is_dir():
    folder = tempfile.gettempdir()
  # A new name and a file for this user alone: under a known name, others could
  # plant a link.
  number, path = tempfile.mkstemp(
      prefix=time.strftime('error-%Y%m%d-%H%M%S-'), suffix='.txt', dir=folder)
  with os.fdopen(number, 'w', errors='backslashreplace') as file:
    file.write(''.join(traceback.format_exception(error)))
  return pathlib.Path(path)


def end(error: BaseException, folder: Any = None,
        verbose: bool = False) -> NoReturn:
  """Ends the process with one line on the error, and its exit code.

  Args:
    error: the error.
    folder: the folder that gets the traceback of an unexpected error.
    verbose: also prints the traceback.
  """
  if isinstance(error, ModuleNotFoundError):
    error = missing(error.name) or error
  code, text = explain(error)
  if verbose:
    traceback.print_exception(error)
  if code == 1:
    try:
      text += f'; the traceback is in {write_traceback(error, folder)}'
    except OSError:  # The disk is full.
      text += '; --verbose shows the traceback'
  text = printable(text)
  if len(text) > LONGEST:  # A name may be longer than a screen.
    text = f'{text[:LONGEST // 2]} ... {text[-LONGEST // 2:]}'
  with contextlib.suppress(OSError):  # The code tells of it, too.
    print(f'swae_jax: {text}', file=sys.stderr, flush=True)
  sys.exit(code)


@contextlib.contextmanager
def one_line(folder: Any = None, verbose: bool = False) -> Iterator[None]:
  """Ends the process by `end` if the block raises an error."""
  try:
    yield
  except (Exception, KeyboardInterrupt) as e:
    end(e, folder, verbose)
