"""Writes runs beside the numbers of a paper: Markdown, CSV and a picture."""
import collections
from collections.abc import Iterator, Mapping, Sequence
import csv
import html
import io
import math
import re
from typing import Any, NamedTuple

import numpy as np

from swae_jax import errors
from swae_jax.commands.tables import runs as runs_lib
from swae_jax.commands.tables.papers import base
from swae_jax.workdir import files

COLORS = {'better': '#cfe3f7', 'equal': '#ececec', 'worse': '#f9d9bd',
          'not run': '#ffffff', 'not computed': '#ffffff'}
STATES = ('done', 'diverged', 'failed', 'begun', 'missing', 'other options')
Runs = Mapping[base.Cell, Sequence[runs_lib.Run]]


class Entry(NamedTuple):
  """A metric in a cell.

  Attributes:
    cell: the place of the metric.
    metric: the name of the metric.
    values: the value of each seed that has the metric.
    samples: the numbers of examples behind the values.
    figure: the number of the paper, or None if the metric is only shown.
    mark: the result of `mark`, or the reason why there is no value.
  """
  cell: base.Cell
  metric: str
  values: tuple[float, ...]
  samples: tuple[int, ...]
  figure: base.Figure | None
  mark: str

  def ours(self) -> str:
    """Mean and deviation over the seeds, and the number of seeds."""
    if not self.values:
      return ''
    digits = decimals(self.figure.value) + 1 if self.figure else 2
    text = f'{np.mean(self.values):.{digits}f}'
    if len(self.values) > 1:
      text += f' ± {np.std(self.values, ddof=1):.{digits}f}'
    return f'{text} ({len(self.values)})'

  def paper(self) -> str:
    """The paper's figure, as printed there."""
    if self.figure is None:
      return ''
    return self.figure.value + (
        f' ± {self.figure.std}' if self.figure.std else '')


def decimals(text: str) -> int:
  """The number of digits after the decimal point."""
  return len(text.partition('.')[2])


def mark(values: Sequence[float], figure: base.Figure, better: str) -> str:
  """'better', 'worse' or 'equal (...)': the mean of `values` and a figure.

  equal (rounding): they differ by at most half a unit of the last digit that
  the paper prints.
  equal (deviation): they differ by at most one standard deviation, the larger
  of that of our seeds (at least two) and that of the paper.
  """
  mean, paper = float(np.mean(values)), float(figure.value)
  if math.isnan(mean):
    return 'worse'
  away = abs(mean - paper)
  rounding = .5 * 10. ** -decimals(figure.value)
  if away <= rounding * (1 + 1e-9):
    return 'equal (rounding)'
  ours = float(np.std(values, ddof=1)) if len(values) > 1 else 0.
  if away <= max(ours, float(figure.std or 0)):
    return 'equal (deviation)'
  return 'better' if (mean > paper) == (better == 'higher') else 'worse'


def _ending(states: Sequence[str]) -> str:
  """Why a cell has no value."""
  for state in ('diverged', 'failed'):
    if state in states:
      return state
  return 'not computed' if 'done' in states else 'not run'


def entries(table: base.Table, cells: Runs) -> Iterator[Entry]:
  """The compared metric of each cell, and the metrics that are only shown."""
  states = {cell: [(run, runs_lib.state(run)[0]) for run in runs]
            for cell, runs in cells.items()}
  found = {run.workdir: runs_lib.results(run) for known in states.values()
           for run, state in known if state == 'done'}
  for cell, known in states.items():
    done = [found[run.workdir] for run, state in known if state == 'done']
    names = sorted({name for metrics in done for name in metrics})
    pattern = table.metric(cell)
    compared = next((n for n in names if re.fullmatch(pattern, n)), pattern)
    text = _ending([state for _, state in known])
    entry = _entry(cell, compared, done, table.figures[cell], text)
    if entry.values:
      lost = sum(state == 'diverged' for _, state in known)
      entry = entry._replace(mark=mark(
          entry.values, table.figures[cell], table.better) + (
              f', {lost} diverged' if lost else ''))
    yield entry
    for name in names:
      if re.fullmatch(table.also, name) and name != compared:
        yield _entry(cell, name, done, None, '')


def _entry(cell, metric, done, figure, text) -> Entry:
  rows = [metrics[metric] for metrics in done if metric in metrics]
  values = tuple(math.nan if row['value'] is None else row['value']
                 for row in rows)
  samples = tuple(dict.fromkeys(row['samples'] for row in rows))
  return Entry(cell, metric, values, samples, figure, text)


def tabulate(table: base.Table, cells: Runs, title: str,
             notes: Sequence[str] = ()) -> tuple[str, list[Entry]]:
  """The table in Markdown, and its entries."""
  made = list(entries(table, cells))
  text = [f'# {title}', *_caption(table, cells, made), *notes,
          *table.notes, _markdown(made), _trouble(cells)]
  return '\n\n'.join(filter(None, text)) + '\n', made


def _all(cells: Runs) -> list[runs_lib.Run]:
  """The runs of all cells, each once: two cells may share a run."""
  return list({r.workdir: r for rs in cells.values() for r in rs}.values())


def _caption(table: base.Table, cells: Runs,
             made: Sequence[Entry]) -> Iterator[str]:
  """Paragraphs on the state of the runs and the meaning of the marks."""
  runs = _all(cells)
  count = collections.Counter(runs_lib.state(run)[0] for run in runs)
  compared = [e for e in made if e.figure]
  marks = collections.Counter(e.mark.split(',')[0] for e in compared)
  yield (f'{count["done"]} of {len(runs)} runs are done'
         + ''.join(f', {count[s]} {s}' for s in STATES[1:] if count[s])
         + f'; {sum(not e.values for e in compared)} of {len(cells)} cells are '
         'blank. Ours is: '
         + ', '.join(f'{n} {m}' for m, n in sorted(marks.items())) + '.')
  sources = dict.fromkeys(table.figures[cell].source for cell in cells)
  yield (f'Paper: {"; ".join(sources)}. Ours: mean ± standard deviation over '
         f'seeds (number of seeds). {table.better.title()} is better. Equal '
         '(rounding): our mean is within half a unit of the last digit that '
         'the paper prints; equal (deviation): within one standard deviation, '
         'the larger of ours and the paper\'s.')


def escaped(text: str) -> str:
  """A text of others as Markdown that shows it and does not obey it."""
  return errors.printable(html.escape(text, quote=False)).replace('|', r'\|')


def _trouble(cells: Runs) -> str:
  """A line for each run that did not end well."""
  return '\n'.join(
      f'- {escaped(run.name)}/seed{run.seed}: {state}: {escaped(why)}'
      for run in _all(cells) for state, why in [runs_lib.state(run)] if why)


def _markdown(made: Sequence[Entry]) -> str:
  """A line for each cell."""
  shown = sorted({e.metric for e in made if not e.figure})
  rows: dict[base.Cell, list[str]] = {}
  for e in made:
    if e.figure:
      rows[e.cell] = [*map(str, e.cell), escaped(e.metric), e.ours(),
                      e.paper(), e.mark, *[''] * len(shown)]
    else:
      rows[e.cell][7 + shown.index(e.metric)] = e.ours()
  head = ['data set', 'dim-z', 'system', 'metric', 'ours', 'paper', 'ours is',
          *(f'{escaped(name)}, ours' for name in shown)]
  lines = [head, ['---'] * len(head), *rows.values()]
  return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def write_csv(path: Any, made: Sequence[Entry]) -> None:
  """Writes a line for each metric in each cell."""
  file = io.StringIO()
  out = csv.writer(file, lineterminator='\n')
  out.writerow(('dataset', 'latents', 'system', 'metric', 'mean', 'std',
                'seeds', 'samples', 'paper', 'paper_std', 'mark', 'source'))
  for e in made:
    mean = np.mean(e.values) if e.values else ''
    std = np.std(e.values, ddof=1) if len(e.values) > 1 else ''
    out.writerow((*e.cell, e.metric, mean, std, len(e.values),
                  ' '.join(map(str, e.samples)),
                  *((e.figure.value, e.figure.std) if e.figure else ('', '')),
                  e.mark, e.figure.source if e.figure else ''))
  files.replace(path, file.getvalue().encode())


def picture(path: Any, title: str, made: Sequence[Entry]) -> None:
  """Draws the comparison, a line for each data set and code dimension."""
  from matplotlib import figure as figures
  from matplotlib import transforms
  compared = [e for e in made if e.figure]
  lines = list(dict.fromkeys(e.cell[:2] for e in compared))
  columns = list(dict.fromkeys(e.cell.system for e in compared))
  texts = [[''] * len(columns) for _ in lines]
  colors = [['#ffffff'] * len(columns) for _ in lines]
  for e in compared:
    i, j = lines.index(e.cell[:2]), columns.index(e.cell.system)
    kind = re.split(r',| \(', e.mark)[0]
    texts[i][j] = (f'{e.ours()}\n{kind}, paper {e.paper()}' if e.values
                   else f'{e.mark}\npaper {e.paper()}')
    colors[i][j] = COLORS.get(kind, '#f4b6b6')
  width, height = 1.6 * (len(columns) + 1), .5 * (len(lines) + 1)
  page = figures.Figure((width, height + .6), dpi=120)
  axes = page.add_axes((.08, 0, .92, height / (height + .6)))
  axes.axis('off')
  grid = axes.table(texts, cellColours=colors, colLabels=columns,
                    rowLabels=[f'{d}, {z}' for d, z in lines],
                    cellLoc='center',
                    bbox=transforms.Bbox.from_bounds(.04, .02, .95, .96))
  grid.auto_set_font_size(False)
  grid.set_fontsize(8)
  metrics = dict.fromkeys(e.metric for e in compared)
  page.suptitle(f'{title}\n{", ".join(metrics)}: ours, and the paper\'s',
                fontsize=9)
  content = io.BytesIO()
  page.savefig(content, format='png')
  files.replace(path, content.getvalue())
