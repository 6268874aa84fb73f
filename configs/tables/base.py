"""Grids of runs, and the figures of the papers that stand beside them.

paper_tables.csv has every figure of a table that is made here, as printed, with
its source.  The cells of a grid are the figures of its table.
"""
from collections.abc import Callable
import csv
import pathlib
from typing import NamedTuple

from configs import celeba, cifar10_sub, coil20, fashion_mnist, mnist, systems

PAPERS = pathlib.Path(__file__).with_name('paper_tables.csv')
DATASETS = {
    'celeba': celeba.get_config,
    'cifar10_sub': cifar10_sub.get_config,
    'coil20': coil20.get_config,
    'fashion_mnist': fashion_mnist.get_config,
    'mnist': mnist.get_config,
}
# By the name of a column: the system, and its options.
SYSTEMS = {
    'swae(beta=1)': ('swae', {'objective.beta': 1.}),
    'swae(beta=0.5)': ('swae', {'objective.beta': .5}),
    'swae(beta=0)': ('swae', {'objective.beta': 0.}),
    'swae(beta=best)': ('swae', {}),  # The table says which beta.
    'vae': ('vae', {}),
    'wae_gan': ('wae_gan', {}),
    'wae_mmd': ('wae_mmd', {}),
    'vampprior': ('vampprior', {}),
    'mim': ('mim', {}),
}


class Cell(NamedTuple):
  """A data set, the dimension of the code, and the name of a column."""
  dataset: str
  latents: int
  system: str


class Figure(NamedTuple):
  """What a paper has in a cell, as it is printed there."""
  value: str
  std: str = ''
  source: str = ''


class Table(NamedTuple):
  """A grid of runs and what is looked at in them."""
  title: str
  figures: dict  # {Cell: Figure}, in the order of the paper.
  config: Callable  # Cell -> config; one system at two seeds: one config.
  metrics: str  # Our metrics that are compared: a regular expression.
  better: str = 'higher'  # Or 'lower'.
  also: str = ''  # Our metrics that are only shown: another.
  evals: tuple = ()  # (evaluator, {option: value}) of what is turned on.
  seeds: int = 1  # The paper's number of runs for a figure.
  notes: tuple = ()  # What a reader has to know, a sentence each.


def figures(table):
  """{Cell: Figure} of a table in paper_tables.csv, and which way is better."""
  with PAPERS.open(newline='') as file:
    rows = [row for row in csv.DictReader(file) if row['table'] == table]
  better, = {row['better'] for row in rows}
  return {Cell(row['dataset'], int(row['latents']), row['system']):
          Figure(row['value'], row['std'], row['source'])
          for row in rows}, better


def paper(table, title, metrics, changes=lambda cell: {}, **options):
  """The Table of a paper's table.

  Args:
    table: its name in paper_tables.csv.
    title: a line.
    metrics: those of ours that are compared, a regular expression.
    changes: cell -> {option: value} of what differs from the config of its
      data set and system.
    **options: the other fields of Table.
  """
  known, better = figures(table)

  def config(cell):
    system, own = SYSTEMS[cell.system]
    made = DATASETS[cell.dataset](system)
    for option, value in {**own, 'latents': cell.latents,
                          **changes(cell)}.items():
      systems.override(made, option, value)
    for name, own in options.get('evals', ()):
      made.evals[name].update(own, run=True)
    made.name = f'{cell.dataset}-{cell.latents}-{system}'
    if 'beta' in made.objective and system == 'swae':
      made.name += f'_beta{made.objective.beta:g}'
    return made

  return Table(title, known, config, metrics, better, **options)
