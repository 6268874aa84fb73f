"""The commands of swae_jax: swae COMMAND, or python -m swae_jax COMMAND."""
import sys

from swae_jax.host import signals

# A command loads its modules only when it is called: `swae --help` is quick,
# and `swae doctor` starts where nothing is installed.  A signal that comes
# while modules load ends the command by one line.


def _train(argv: list[str], *mode: str) -> None:
  from absl import app, flags

  from swae_jax import main
  if {'--help', '-h', '-help'} & set(argv):
    print(f'{main.__doc__}{flags.FLAGS.module_help(main)}')
    return
  app.run(main.main, ['swae', *mode, *argv], flags_parser=main.parse)


def _eval(argv: list[str]) -> None:
  _train(argv, '--mode=eval')


def _tables(argv: list[str]) -> None:
  from swae_jax.commands.tables import main
  main.main(argv)


def _report(argv: list[str]) -> None:
  from swae_jax.commands import report
  report.main(argv)


def _apply(argv: list[str]) -> None:
  from swae_jax.commands import apply
  apply.main(argv)


def _export(argv: list[str]) -> None:
  from swae_jax.commands import export
  export.main(argv)


def _prepare(argv: list[str]) -> None:
  from swae_jax.commands import prepare
  prepare.main(argv)


def _verify(argv: list[str]) -> None:
  from swae_jax.commands import verify
  verify.main(argv)


def _doctor(argv: list[str]) -> None:
  from swae_jax.commands import doctor
  doctor.main(argv)


COMMANDS = {
    'train': (_train, 'train a system, then evaluate it'),
    'eval': (_eval, 'evaluate a trained run once more'),
    'tables': (_tables, 'train the runs of a table of a paper; print it'),
    'report': (_report, 'write one HTML page about one or several runs'),
    'apply': (_apply, 'encode, decode, sample or interpolate pictures'),
    'export': (_export, 'write a trained system to a file for use elsewhere'),
    'prepare': (_prepare, 'fetch a data set, check it and decode it once'),
    'verify': (_verify, 'check every file of a run'),
    'doctor': (_doctor, 'check packages, devices and disk of this machine'),
}


def usage() -> str:
  """The text of `swae --help`."""
  from swae_jax import __version__
  lines = [f'  {name:9}{text}' for name, (_, text) in COMMANDS.items()]
  return '\n'.join([
      f'swae_jax {__version__}: Wasserstein-type autoencoders in JAX and Flax',
      '', 'usage: swae COMMAND [flags]', '', *lines, '',
      'swae COMMAND --help describes the flags of a command.'])


def run(argv: list[str]) -> None:
  """Carries out a command line; an error ends it with one line and a code."""
  from swae_jax import __version__, errors
  name = argv[0] if argv else ''
  if name in ('--help', '-h', 'help'):
    print(usage())
  elif name == '--version':
    print(__version__)
  elif name in COMMANDS:
    with errors.one_line():
      COMMANDS[name][0](argv[1:])
  else:
    from swae_jax import options  # Only where something went wrong.
    errors.end(errors.UserError(
        f'there is no command {name!r}{options.near(name, COMMANDS)}' if name
        else f'give a command: {", ".join(COMMANDS)}; see swae --help'))


def main() -> None:
  """The console script."""
  signals.install()
  from swae_jax.host import output
  with output.guarded():
    run(sys.argv[1:])


if __name__ == '__main__':
  main()
