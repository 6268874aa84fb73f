"""A table of runs beside the figures of a paper: as Markdown, CSV and picture.
"""
import collections
import csv
import io
import math
import re
from typing import NamedTuple

import numpy as np

from swae_jax.workdir import files

MARKS = ('better', 'equal (rounding)', 'equal (deviation)', 'worse')
COLORS = {'better': '#cfe3f7', 'equal': '#ececec', 'worse': '#f9d9bd',
          'not run': '#ffffff', 'not computed': '#ffffff'}
STATES = ('done', 'diverged', 'failed', 'begun', 'missing', 'other options')


class Entry(NamedTuple):
  """A metric in a cell."""
  cell: tuple
  metric: str
  values: tuple  # One for each seed that has it.
  samples: tuple  # The examples behind each, without repetition.
  figure: tuple  # The paper's; value '' where it is not to be compared.
  mark: str  # One of MARKS, or what became of the runs, which may follow.

  def ours(self, digits):
    """Mean and deviation over the seeds, and their number."""
    if not self.values:
      return ''
    text = f'{np.mean(self.values):.{digits}f}'
    if len(self.values) > 1:
      text += f' ± {np.std(self.values, ddof=1):.{digits}f}'
    return f'{text} ({len(self.values)})'

  def paper(self):
    """The paper's, as it is printed there."""
    figure = self.figure
    return f'{figure.value} ± {figure.std}' if figure.std else figure.value


def decimals(text):
  """Digits behind the point."""
  return len(text.partition('.')[2])


def mark(values, figure, better):
  """One of MARKS: how the mean of `values` stands to a printed figure.

  Equal by rounding: within half a unit of the last digit that is printed.
  Equal by deviation: within one standard deviation, the larger of that over
  our seeds (two at least) and the one that the paper prints.
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


def results(run):
  """{metric: its record} of a finished run."""
  found = files.read_json(run.workdir / 'results.json')
  return {m['name']: m for m in found['metrics']}


def ending(states):
  """What a cell without a value is marked with."""
  for state in ('diverged', 'failed'):
    if state in states:
      return state
  return 'not computed' if 'done' in states else 'not run'


def names(table, found):
  """Names of the metrics that are compared, and of those that are shown."""
  every = sorted({name for metrics in found for name in metrics})
  first = [name for name in every if re.fullmatch(table.metrics, name)]
  also = [name for name in every if re.fullmatch(table.also, name)]
  return first or [table.metrics], [n for n in also if n not in first]


def entries(table, cells, compared, shown, found):
  """The Entry of each metric in each cell.

  Args:
    table: as in configs/tables.
    cells: {cell: [(run, state)]}.
    compared: names of metrics that are marked.
    shown: names of metrics that stand there without a mark.
    found: {workdir: {metric: record}} of the runs that are done.
  """
  for cell, known in cells.items():
    figure = table.figures[cell]
    done = [found[run.workdir] for run, state in known if state == 'done']
    # Where nothing is there to compare, the first of the metrics says why.
    why = '' if any(set(compared) & metrics.keys() for metrics in done) else (
        ending([state for _, state in known]))
    for name in (*compared, *shown):
      rows = [metrics[name] for metrics in done if name in metrics]
      values = tuple(math.nan if row['value'] is None else row['value']
                     for row in rows)
      text = why if name == compared[0] else ''
      if name in compared and values:
        lost = sum(state == 'diverged' for _, state in known)
        text = mark(values, figure, table.better) + (
            f', {lost} diverged' if lost else '')
      yield Entry(cell, name, values, tuple({r['samples']: 0 for r in rows}),
                  figure if name in compared else figure._replace(
                      value='', std=''), text)


def tabulate(table, cells, title, notes=()):
  """Markdown, and the entries: {cell: [run]} -> text, [Entry]."""
  states = {cell: [(run, runs.state(run)[0]) for run in runs]
            for cell, runs in cells.items()}
  found = {run.workdir: results(run) for known in states.values()
           for run, state in known if state == 'done'}
  compared, shown = names(table, found.values())
  made = list(entries(table, states, compared, shown, found))
  text = [f'# {title}', *caption(table, cells, made), *notes,
          markdown(table, made, compared, shown), trouble(cells)]
  return '\n\n'.join(filter(None, text)) + '\n', made


def caption(table, cells, made):
  """Paragraphs that say what is there, and how to read the marks."""
  runs = list({r.workdir: r for rs in cells.values() for r in rs}.values())
  count = collections.Counter(runs.state(run)[0] for run in runs)
  yield (f'{count["done"]} of {len(runs)} runs are done'
         + ''.join(f', {count[s]} {s}' for s in STATES[1:] if count[s])
         + f'; {sum(bool(e.mark) and not e.values for e in made)} of '
         f'{len(cells)} cells are blank. Marks: '
         + ', '.join(f'{n} {m}' for m, n in sorted(collections.Counter(
             e.mark.split(',')[0] for e in made if e.mark).items())) + '.')
  sources = dict.fromkeys(table.figures[cell].source for cell in cells)
  yield (f'Paper: {"; ".join(sources)}. Ours: mean ± standard deviation over '
         f'seeds (number of seeds). {table.better.title()} is better. Equal '
         '(rounding): our mean is within half a unit of the last digit that '
         'the paper prints; equal (deviation): within one standard deviation, '
         'the larger of ours and the paper\'s.')
  yield from table.notes


def trouble(cells):
  """A paragraph on the runs that did not end well."""
  runs = {r.workdir: r for rs in cells.values() for r in rs}.values()
  how = [(run, *runs.state(run)) for run in runs]
  return '\n'.join(f'- {run.name}/seed{run.seed}: {state}: {why}'
                   for run, state, why in how if why)


def markdown(table, made, compared, shown):
  """One line for each cell."""
  head = ['data set', 'dim-z', 'system']
  for name in compared:
    head += [f'{name}, ours', 'paper', 'ours is']
  rows = {}
  for entry in made:
    row = rows.setdefault(entry.cell, list(map(str, entry.cell)))
    if entry.metric in compared:
      digits = decimals(entry.figure.value) + 1
      row += [entry.ours(digits), entry.paper(), entry.mark]
    else:
      row.append(entry.ours(2))
  lines = [head + [f'{name}, ours' for name in shown],
           ['---'] * (3 + 3 * len(compared) + len(shown)), *rows.values()]
  return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def write_csv(path, made):
  """One line for each metric in each cell."""
  file = io.StringIO()
  out = csv.writer(file, lineterminator='\n')
  out.writerow(('dataset', 'latents', 'system', 'metric', 'mean', 'std',
                'seeds', 'samples', 'paper', 'paper_std', 'mark', 'source'))
  for e in made:
    mean = np.mean(e.values) if e.values else ''
    std = np.std(e.values, ddof=1) if len(e.values) > 1 else ''
    out.writerow((*e.cell, e.metric, mean, std, len(e.values),
                  ' '.join(map(str, e.samples)), e.figure.value,
                  e.figure.std, e.mark,
                  e.figure.source if e.figure.value else ''))
  files.replace(path, file.getvalue().encode())


def picture(path, title, made):
  """The first metric as the paper has it: a line for a data set and a code."""
  from matplotlib import figure as figures
  first = [e for e in made if e.metric == made[0].metric]
  lines = list(dict.fromkeys(e.cell[:2] for e in first))
  columns = list(dict.fromkeys(e.cell.system for e in first))
  texts = [[''] * len(columns) for _ in lines]
  colors = [['#ffffff'] * len(columns) for _ in lines]
  for e in first:
    i, j = lines.index(e.cell[:2]), columns.index(e.cell.system)
    kind = re.split(r',| \(', e.mark)[0] if e.values else e.mark
    ours = e.ours(decimals(e.figure.value) + 1) or e.mark
    texts[i][j] = f'{ours}\n{kind + ", " if e.values else ""}paper {e.paper()}'
    colors[i][j] = COLORS.get(kind, '#f4b6b6')
  width, height = 1.5 * (len(columns) + 1), .5 * (len(lines) + 1)
  page = figures.Figure((width, height + .6), dpi=120)
  axes = page.add_axes((.08, 0, .92, height / (height + .6)))
  axes.axis('off')
  grid_ = axes.table(texts, cellColours=colors, colLabels=columns,
                     rowLabels=[f'{d}, {z}' for d, z in lines],
                     cellLoc='center', bbox=(.04, .02, .95, .96))
  grid_.auto_set_font_size(False)
  grid_.set_fontsize(8)
  page.suptitle(f'{title}\n{made[0].metric}', fontsize=9)
  content = io.BytesIO()
  page.savefig(content, format='png')
  files.replace(path, content.getvalue())
