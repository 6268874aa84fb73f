"""Parts that the commands share: parser, types of flags, the trained system."""
import argparse
from collections.abc import Callable, Iterator
import contextlib
import pathlib
from typing import TYPE_CHECKING, Any, NoReturn

from swae_jax import errors, options

if TYPE_CHECKING:  # A mistake in a flag shows before jax is loaded.
  from swae_jax import model


class Parser(argparse.ArgumentParser):
  """A parser whose errors are one line."""

  def error(self, message: str) -> NoReturn:
    """Ends the program with the message and code 2."""
    errors.end(errors.UserError(f'{message}; see {self.prog} --help'))
    raise AssertionError  # `end` does not return.


def parser(doc: str | None, **more: Any) -> Parser:
  """A parser with the docstring of a command as its help."""
  return Parser(description=doc, allow_abbrev=False,
                formatter_class=argparse.RawDescriptionHelpFormatter, **more)


def whole(low: int, high: int = options.LARGEST_INT) -> Callable[[str], int]:
  """A type of flags: whole numbers from `low` to `high`."""

  def number(text: str) -> int:
    try:
      value = int(text)
    except ValueError:
      value = None
    if value is None or not low <= value <= high:
      raise argparse.ArgumentTypeError(
          f'{text}: it must be a whole number, at least {low} and at most '
          f'{high}')
    return value

  return number


SEED = whole(0, 2**64 - 1)


def path(text: str) -> pathlib.Path:
  """A type of flags: a path on a disk, where ~ is the home folder."""
  if not text:
    raise argparse.ArgumentTypeError('it is empty; give a path')
  try:
    return errors.path(text)
  except errors.UserError as e:
    raise argparse.ArgumentTypeError(str(e)) from e


def check_output(output: Any) -> None:
  """Refuses an --output that cannot be written, before work is done for it."""
  from swae_jax.workdir import storage
  storage.check(storage.path(output).parent, 'output')


def add_model(to: argparse.ArgumentParser) -> None:
  """Adds the flags that name a trained system."""
  which = to.add_mutually_exclusive_group(required=True)
  which.add_argument('--workdir', dest='model', metavar='DIR',
                     help='the workdir of a run')
  which.add_argument('--model', dest='model', metavar='FILE',
                     help='a .safetensors file that swae export wrote')


def load(flags: argparse.Namespace) -> 'model.Model':
  """The trained system that the flags name."""
  from swae_jax import model
  return model.load(flags.model)


@contextlib.contextmanager
def user_paths() -> Iterator[None]:
  """Turns an error of a path that the user gave into a UserError."""
  try:
    yield
  except OSError as e:
    if errors.is_full(e) or isinstance(e, BrokenPipeError):
      raise
    raise errors.UserError(e) from e
