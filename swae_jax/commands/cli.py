"""What the commands that use a trained system share."""
import argparse

from swae_jax import errors


class Parser(argparse.ArgumentParser):
  """A parser that says in one line what is wrong."""

  def error(self, message):
    """Leaves with the message."""
    errors.end(errors.UserError(f'{message}; see {self.prog} --help'))


def parser(doc, **options):
  """A parser with the doc string of a command as its help."""
  return Parser(description=doc, allow_abbrev=False,
                formatter_class=argparse.RawDescriptionHelpFormatter, **options)


def add_model(to):
  """The flags that say which system it is."""
  which = to.add_mutually_exclusive_group(required=True)
  which.add_argument('--workdir', dest='model', metavar='DIR',
                     help='the workdir of a run')
  which.add_argument('--model', dest='model', metavar='FILE',
                     help='a .safetensors file of swae_jax.export')


def run(do, flags):
  """do(model, flags), or one line on what is wrong."""
  try:
    from swae_jax import model as model_lib
    do(model_lib.load(flags.model), flags)
  except (Exception, KeyboardInterrupt) as e:
    if isinstance(e, OSError) and not errors.is_full(e):
      e = errors.UserError(e)  # Of a path that the user has given.
    errors.end(e)
