"""Makes a table of a paper: the runs that are missing, then the table.

python -m swae_jax.tables --table=swae_table1 --workdir=DIR --data_dir=DIR
    [--dataset=mnist] [--dim=8] [--system=swae,vae] [--seeds=0,1,2]
    [--epochs=2] [--shard=0/4] [--list] [--only_write] [--config.a.b=value ...]

Grids are in configs/tables.  The same command goes on after a kill and touches
no run that has ended; a run that diverged is marked and not tried again, unless
its folder is deleted.  Tables with runs in common share them in one workdir.
Machines that share the work each take --shard=0/n to n-1/n; in the merged
workdirs --only_write makes the table.  It is written to table.md, table.csv and
table.png in the workdir.
"""
import pathlib
import re
import runpy
import sys

from absl import logging

from swae_jax import errors
from swae_jax.commands import cli
from swae_jax.commands.tables import markdown, runs
from swae_jax.host import console, signals
from swae_jax.workdir import storage


def parse(argv):
  """The flags, and {option: text} of those of runs."""
  parser = cli.parser(__doc__, prog='python -m swae_jax.tables')
  add = parser.add_argument
  add('--table', required=True, help='a name in configs/tables, or a file')
  add('--workdir', required=True, help='where the runs and the table are kept')
  add('--data_dir', default='', help='the folder of the data sets')
  for name in ('dataset', 'dim', 'system'):
    add(f'--{name}', default='', help='only these, with commas; all if absent')
  add('--seeds', default='', help='as 0,1,2; as many as the paper if absent')
  add('--epochs', type=int, default=0, help='of each run, instead of its own')
  add('--shard', default='0/1', help='which part of how many, from 0')
  add('--list', action='store_true', help='print the runs and how they stand')
  add('--only_write', action='store_true', help='run nothing')
  flags, rest = parser.parse_known_args(argv)
  options = {}
  for text in rest:
    found = re.fullmatch(r'--config\.([\w.]+)=(.*)', text, re.DOTALL)
    if not found:
      raise errors.UserError(
          f'{text!r} is no flag; options of all runs are given as '
          '--config.train.batch_size=50')
    options[found[1]] = found[2]
  if flags.data_dir:
    options['data.dir'] = flags.data_dir
  if flags.epochs:
    options |= {'train.epochs': str(flags.epochs), 'train.steps': '0'}
  return flags, options


def load(name):
  """The table of a name in configs/tables, or of a file."""
  folder = pathlib.Path('configs/tables')
  path = pathlib.Path(name) if name.endswith('.py') else folder / f'{name}.py'
  if not path.is_file():
    known = sorted(p.stem for p in folder.glob('*_*.py'))
    raise errors.UserError(
        f'--table: there is no file {path}; start from the root of the '
        f'repository; there are {", ".join(known)}')
  return runpy.run_path(str(path))['get_table']()


def chosen(texts, what, asked):
  """Those of `texts` that are asked for, or all; swae is each swae(...)."""
  if not asked:
    return set(texts)
  found = set()
  for one in asked.split(','):
    match = {t for t in texts if one in (t, t.partition('(')[0])}
    if not match:
      raise errors.UserError(f'--{what}={one}: the table has '
                             f'{", ".join(dict.fromkeys(texts))}')
    found |= match
  return found


def select(table, flags):
  """The cells that the flags ask for, in the order of the table."""
  wanted = [chosen([str(cell[i]) for cell in table.figures], name,
                   getattr(flags, name))
            for i, name in enumerate(('dataset', 'dim', 'system'))]
  return [cell for cell in table.figures if all(
      str(value) in known for value, known in zip(cell, wanted, strict=True))]


def numbers(text, what, pattern, example):
  """The whole numbers of a flag."""
  if not re.fullmatch(pattern, text):
    raise errors.UserError(f'--{what}={text}: it is such as {example}')
  return [int(n) for n in re.findall(r'\d+', text)]


def part(flags):
  """(index, count) of --shard."""
  index, count = numbers(flags.shard, 'shard', r'\d+/\d+', '0/4')
  if index >= count:
    raise errors.UserError(
        f'--shard={flags.shard}: parts go from 0 to {count - 1}')
  return index, count


def heading(table, configs, flags, options):
  """The title, and a paragraph on what was not run as it is meant."""
  title, notes = table.title, []
  if flags.epochs:
    own = sorted({table.config(cell).train.epochs for cell in configs})
    if own != [flags.epochs]:
      scaled = 'down' if flags.epochs < own[-1] else 'up'
      title += (f', scaled {scaled}: {flags.epochs} epoch(s) a run in place of '
                f'{" or ".join(map(str, own))}')
  changed = {k: v for k, v in options.items() if k not in (
      'data.dir', 'train.epochs', 'train.steps')}
  if changed:
    notes.append('Not as in configs/: ' + ', '.join(
        f'config.{k} is {v}' for k, v in changed.items()) + '.')
  return title, notes


def write(table, cells, title, notes, workdir):
  """table.md, table.csv and table.png.  Returns the Markdown."""
  text, made = markdown.tabulate(table, cells, title, notes)
  workdir.mkdir(parents=True, exist_ok=True)
  (workdir / 'table.md').write_text(text)
  markdown.write_csv(workdir / 'table.csv', made)
  markdown.picture(workdir / 'table.png', title, made)
  return text


def run(table, flags, options):
  """Does what the flags ask.  Returns (run, error) of the runs that failed."""
  workdir, (index, count) = storage.path(flags.workdir), part(flags)
  seeds = (numbers(flags.seeds, 'seeds', r'\d+(,\d+)*', '0,1,2')
           if flags.seeds else range(table.seeds))
  configs = runs.configs(table, select(table, flags), options)
  cells = {cell: list(runs.runs(config, seeds, workdir))
           for cell, config in configs.items()}
  # Two cells of a table may be one run.
  every = list({r.workdir: r for runs in cells.values() for r in runs}.values())
  mine = runs.shard(every, index, count)
  if flags.list:
    print(console.table([(r.name, r.seed, ': '.join(filter(None, runs.state(r))
                                                     )) for r in mine],
                         ('run', 'seed', 'state')))
    return []
  failed = [] if flags.only_write else runs.work(mine)
  title, notes = heading(table, configs, flags, options)
  print('\n' + write(table, cells, title, notes, workdir))
  return failed


def main(argv=None):
  """Makes a table."""
  logging.set_verbosity(logging.WARNING)  # Orbax tells all it does.
  try:
    flags, options = parse(sys.argv[1:] if argv is None else argv)
    failed = run(load(flags.table), flags, options)
  except (Exception, KeyboardInterrupt) as e:
    errors.end(e)
  if failed:
    errors.end(failed[0][1])


if __name__ == '__main__':
  signals.install()
  main()
