"""Trains the missing runs of a table of a paper, then writes the table.

  swae tables --table=swae_table1 --workdir=DIR --data_dir=DIR
      [--dataset=mnist] [--dim=8] [--system=swae,vae] [--seeds=0,1,2]
      [--epochs=2] [--shard=0/4] [--list] [--only_write]
      [--config.train.batch_size=50 ...]

The same command goes on after a kill, and does not repeat finished runs.  The
table marks a run that diverged; delete the folder of the run to try again.
Tables in one workdir share the runs that they have in common.  Several machines
can share the work: each takes one of --shard=0/N to N-1/N, and --only_write
writes the table after their workdirs are merged.  The table goes to table.md,
table.csv and table.png in the workdir.
"""
import argparse
from collections.abc import Iterable, Mapping, Sequence
import re
import runpy
from typing import Any

from absl import logging

from swae_jax import errors, options
from swae_jax.commands import cli
from swae_jax.commands.tables import markdown, papers, runs
from swae_jax.commands.tables.papers import base
from swae_jax.workdir import files, storage


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, dict[str, str]]:
  """The flags, and {option: text} of the options for all runs."""
  parser = cli.parser(__doc__, prog='swae tables')
  add = parser.add_argument
  add('--table', required=True, metavar='TABLE',
      help=f'{", ".join(papers.TABLES)}, or a file with get_table()')
  add('--workdir', required=True, metavar='DIR',
      help='the folder of the runs and of the table')
  add('--data_dir', default='', metavar='DIR',
      help='the folder of the data sets')
  for name in ('dataset', 'dim', 'system'):
    add(f'--{name}', default='', metavar='A,B',
        help=f'only the runs of these {name}s; default: all')
  add('--seeds', default='', metavar='0,1,2',
      help='seeds of the runs; default: the number of the paper')
  add('--epochs', type=cli.whole(1), default=0, metavar='N',
      help='epochs of each run; default: those of its setting')
  add('--shard', default='0/1', metavar='I/N',
      help='train part I of N of the runs; I starts at 0')
  add('--list', action='store_true',
      help='print the state of each run, and end')
  add('--only_write', action='store_true',
      help='train no run; only write the table')
  flags, rest = parser.parse_known_args(argv)
  if not flags.workdir:
    parser.error('--workdir is empty; name the folder of the runs')
  given = {}
  for text in rest:
    found = re.fullmatch(r'--config\.([\w.]+)=(.*)', text, re.DOTALL)
    if not found:
      parser.error(f'{text!r} is no flag; set options of all runs as in '
                   '--config.train.batch_size=50')
    given[found[1]] = found[2]
  if flags.data_dir:
    given['data.dir'] = flags.data_dir
  if flags.epochs:
    given |= {'train.epochs': str(flags.epochs), 'train.steps': '0'}
  return flags, given


def load(name: str) -> base.Table:
  """The table with a name in TABLES, or from a file with get_table()."""
  if name in papers.TABLES:
    return papers.TABLES[name]()
  path = errors.path(name)
  if not name.endswith('.py'):
    raise errors.UserError(f'--table={name}: there is no such table'
                           f'{options.near(name, papers.TABLES)}')
  if not path.is_file():
    raise errors.UserError(f'--table={name}: there is no such file')
  try:
    return runpy.run_path(str(path))['get_table']()
  except Exception as e:  # A mistake in the file of the user.
    raise errors.UserError(
        f'--table={name}: {type(e).__name__}: {e}') from e


def chosen(texts: Iterable[str], flag: str, asked: str) -> set[str]:
  """The texts that a flag asks for, or all; 'swae' asks for each swae(...)."""
  texts = list(dict.fromkeys(texts))
  if not asked:
    return set(texts)
  found = set()
  for one in asked.split(','):
    match = {t for t in texts if one in (t, t.partition('(')[0])}
    if not match:
      raise errors.UserError(
          f'--{flag}={one}: the table has {", ".join(texts)}')
    found |= match
  return found


def select(table: base.Table, flags: argparse.Namespace) -> list[base.Cell]:
  """The cells that the flags ask for, in the order of the table."""
  wanted = [chosen((str(cell[i]) for cell in table.figures), name,
                   getattr(flags, name))
            for i, name in enumerate(('dataset', 'dim', 'system'))]
  return [cell for cell in table.figures if all(
      str(value) in known for value, known in zip(cell, wanted, strict=True))]


def numbers(text: str, flag: str, pattern: str, example: str) -> list[int]:
  """The whole numbers of a flag."""
  if not re.fullmatch(pattern, text):
    raise errors.UserError(f'--{flag}={text}: it must be such as {example}')
  return [int(n) for n in re.findall(r'\d+', text)]


def part(flags: argparse.Namespace) -> tuple[int, int]:
  """(index, count) of --shard."""
  index, count = numbers(flags.shard, 'shard', '[0-9]{1,9}/[1-9][0-9]{0,8}',
                         '0/4')
  if index >= count:
    raise errors.UserError(
        f'--shard={flags.shard}: the parts go from 0 to {count - 1}')
  return index, count


def heading(table: base.Table, cells: Iterable[base.Cell],
            flags: argparse.Namespace, given: Mapping[str, str]
            ) -> tuple[str, list[str]]:
  """The title, and a paragraph about options that differ from the settings."""
  title, notes = table.title, []
  if flags.epochs:
    own = sorted({table.config(cell).train.epochs for cell in cells})
    if own != [flags.epochs]:
      scaled = 'down' if flags.epochs < own[-1] else 'up'
      title += (f', scaled {scaled}: {flags.epochs} epoch(s) a run in place of '
                f'{" or ".join(map(str, own))}')
  changed = {k: v for k, v in given.items() if k not in (
      'data.dir', 'train.epochs', 'train.steps')}
  if changed:
    notes.append('Other options than in the settings: ' + ', '.join(
        f'config.{k} is {markdown.escaped(v)}'
        for k, v in changed.items()) + '.')
  return title, notes


def write(table: base.Table, cells: markdown.Runs, title: str,
          notes: Sequence[str], workdir: Any) -> str:
  """Writes table.md, table.csv and table.png; returns the Markdown."""
  text, made = markdown.tabulate(table, cells, title, notes)
  files.replace(workdir / 'table.md', text.encode())
  markdown.write_csv(workdir / 'table.csv', made)
  markdown.picture(workdir / 'table.png', title, made)
  return text


def listing(mine: Sequence[runs.Run]) -> str:
  """A line for each run."""
  width = max((len(run.name) for run in mine), default=0)
  return '\n'.join(
      f'{run.name:{width}}  seed {run.seed}  '
      + ': '.join(filter(None, runs.state(run))) for run in mine)


def run(table: base.Table, flags: argparse.Namespace, given: Mapping[str, str]
        ) -> list[tuple[runs.Run, Exception]]:
  """Carries out the flags; returns (run, error) of each run that failed."""
  workdir = storage.path(flags.workdir)
  storage.check(workdir, 'workdir')
  index, count = part(flags)
  seeds = list(dict.fromkeys(
      numbers(flags.seeds, 'seeds', '[0-9]{1,19}(,[0-9]{1,19})*', '0,1,2')
      if flags.seeds else range(table.seeds)))
  configs = runs.configs(table, select(table, flags), given)
  cells = {cell: list(runs.runs(config, seeds, workdir))
           for cell, config in configs.items()}
  # Each run once: two cells of a table may share a run.
  every = list({r.workdir: r for rs in cells.values() for r in rs}.values())
  mine = runs.shard(every, index, count)
  if flags.list:
    print(errors.printable(listing(mine), lines=True))
    return []
  if flags.only_write and not workdir.is_dir():
    raise errors.UserError(f'--workdir={flags.workdir}: there is no such '
                           'folder; give the folder of the runs')
  failed = [] if flags.only_write else runs.work(mine)
  if failed and all(runs.state(run)[0] == 'missing' for run in every):
    return failed  # A table of nothing says nothing.
  runs.check_data(every)
  title, notes = heading(table, configs, flags, given)
  text = write(table, cells, title, notes, workdir)
  print('\n' + errors.printable(text, lines=True))
  return failed


def main(argv: Sequence[str]) -> None:
  """Makes a table; raises the error of the first run that failed."""
  logging.set_verbosity(logging.FATAL)  # Orbax logs every step and failure.
  flags, given = parse(argv)
  failed = run(load(flags.table), flags, given)
  if failed:
    raise failed[0][1]
