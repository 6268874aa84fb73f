"""Tables of the papers: the printed numbers, and the configs of our runs.

paper_tables.csv has every number of every table, with its source.  Each cell of
a table here is one number of the table in the paper.
"""
from collections.abc import Callable, Mapping
import csv
import functools
import pathlib
from typing import Any, NamedTuple

from swae_jax.training import config as config_lib
from swae_jax.training import shipped

FIGURES = pathlib.Path(__file__).with_name('paper_tables.csv')
# {name of a column: (its setting, the options that the name gives)}.
COLUMNS: dict[str, tuple[str, dict[str, Any]]] = {
    'swae(beta=1)': ('swae', {'system.swae.beta': 1.}),
    'swae(beta=0.5)': ('swae', {'system.swae.beta': .5}),
    'swae(beta=0)': ('swae', {'system.swae.beta': 0.}),
    'swae(beta=best)': ('swae', {}),  # The table says which beta.
    'vae': ('vae', {}),
    'wae_gan': ('wae_gan', {}),
    'wae_mmd': ('wae_mmd', {}),
    'vampprior': ('vampprior', {}),
    'mim': ('mim', {}),
}
# The released code of Sun & Guo 2021 draws the codes of these systems, and
# takes the mean codes of the others.
DRAWN = ('vae', 'vampprior', 'mim')


class Cell(NamedTuple):
  """A place in a table: data set, dimension of the code, name of a column."""
  dataset: str
  latents: int
  system: str


class Figure(NamedTuple):
  """A number in a paper, as the paper prints it."""
  value: str
  std: str = ''
  source: str = ''


class Table(NamedTuple):
  """A grid of runs and the numbers of a paper.

  Attributes:
    title: the title, one line.
    figures: {Cell: Figure}, in the order of the paper.
    config: Cell -> the config of its run; seeds share one config.
    metric: Cell -> a regular expression for the metric that is compared.
    better: 'higher' or 'lower'.
    also: a regular expression for metrics that are shown but not compared.
    evals: (evaluator, {option: value}) of the evaluators that are turned on.
    seeds: the number of runs behind a number of the paper.
    notes: sentences that a reader has to know.
  """
  title: str
  figures: Mapping[Cell, Figure]
  config: Callable[[Cell], Any]
  metric: Callable[[Cell], str]
  better: str = 'higher'
  also: str = ''
  evals: tuple = ()
  seeds: int = 1
  notes: tuple[str, ...] = ()


def read(table: str) -> tuple[dict[Cell, Figure], str]:
  """The numbers of a table in paper_tables.csv, and the better direction."""
  with FIGURES.open(newline='', encoding='utf-8') as file:
    rows = [row for row in csv.DictReader(file) if row['table'] == table]
  better, = {row['better'] for row in rows}
  return {Cell(row['dataset'], int(row['latents']), row['system']):
          Figure(row['value'], row['std'], row['source'])
          for row in rows}, better


def paper(table: str, title: str, metric: str | Callable[[Cell], str],
          changes: Callable[[Cell], Mapping[str, Any]] = lambda cell: {},
          **fields: Any) -> Table:
  """The Table for a table in paper_tables.csv.

  Args:
    table: its name in paper_tables.csv.
    title: the title, one line.
    metric: the metric that is compared, one for all cells or cell -> metric.
    changes: cell -> {option: value}, the options that differ from the config of
      its data set and column.
    **fields: the other fields of Table.
  """
  figures, better = read(table)
  evals = fields.get('evals', ())
  return Table(title, figures, functools.partial(_config, changes, evals),
               metric if callable(metric) else lambda cell: metric, better,
               **fields)


def _config(changes, evals, cell: Cell) -> Any:
  setting, own = COLUMNS[cell.system]
  made: Any = shipped.get_config(cell.dataset)(setting)
  for option, value in {**own, 'latents': cell.latents,
                        **changes(cell)}.items():
    config_lib.put(made, option, value)
  for name, options in evals:
    made.evals[name].update(options, run=True)
  made.name = f'{cell.dataset}-{cell.latents}-{setting}'
  if setting == 'swae':
    made.name += f'_beta{made.system.swae.beta:g}'
  return made


def accuracy(cell: Cell) -> str:
  """The name of the 5-neighbour accuracy that the paper has in a cell."""
  return 'knn5_accuracy' + ('_sampled_code' if cell.system in DRAWN else '')
