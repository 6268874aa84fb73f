"""Writes one HTML file on a run, or on several side by side.

python -m swae_jax.report --workdir=RUN [--output=report.html]
python -m swae_jax.report --compare=RUN,RUN [--output=report.html]

The file needs no network and no other file.  A run need not have finished.
"""
import base64
import html
import io
import math
import os
from typing import Any, NamedTuple

from matplotlib import figure as figures
import numpy as np

from swae_jax import errors
from swae_jax.commands import cli
from swae_jax.host import signals
from swae_jax.training import evaluation, resume
from swae_jax.workdir import files, metrics_log, storage

POINTS = 1000  # Of a curve; longer ones are thinned.
STYLE = '''
:root { color-scheme: light; }
body { background: #fff; color: #1a1a1a; margin: 0 auto; max-width: 1180px;
  padding: 16px; font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
p { max-width: 75ch; overflow-wrap: anywhere; }
.box { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; width: max-content; }
th, td { border-bottom: 1px solid #d5d5d5; padding: 4px 12px 4px 0;
  text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #1a1a1a; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td { max-width: min(60ch, 48vw); overflow-wrap: anywhere; }
td:first-child { max-width: none; white-space: nowrap; }
.grid { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fill, minmax(min(330px, 100%), 1fr)); }
figure { margin: 0; min-width: 0; }
figcaption { font-size: .875rem; overflow-wrap: anywhere; }
img { display: block; height: auto; max-width: 100%; }
summary { cursor: pointer; }
'''


class Run(NamedTuple):
  """What a run has left."""
  name: str
  workdir: Any
  config: dict
  about: dict  # run.json
  results: dict  # Empty where it has not finished.
  curves: dict  # {metric: (steps, values)}
  state: str


def columns(path, prefix=''):
  """{metric: (steps, values)} of a file of metrics."""
  found = {}
  with metrics_log.Metrics(path, np.inf, write=False) as file:
    for row in file.rows:
      for name, value in row.items():
        if name != 'step':
          steps, values = found.setdefault(prefix + name, ([], []))
          steps.append(row['step'])
          values.append(math.nan if value is None else value)
  return found


def read(workdir, name=''):
  """The Run of a workdir."""
  workdir = storage.path(workdir)
  config = evaluation.load_config(workdir).to_dict()
  results = files.read_json(workdir / 'results.json') or {}
  curves = (columns(workdir / 'metrics.jsonl')
            | columns(workdir / 'valid.jsonl', 'valid '))
  last = max((steps[-1] for steps, _ in curves.values()), default=0)
  state = f'not finished: the last line is that of step {last}'
  if results:
    early = ', stopped early' if results['stopped_early'] else ''
    state = f'finished at step {results["step"]}{early}'
  cell = files.read_json(workdir / 'cell.json') or {}
  if cell.get('state') in ('diverged', 'failed'):
    state = f'{cell["state"]}: {cell["error"]}'
  return Run(name or config['name'], workdir, config,
             files.read_json(workdir / 'run.json') or {}, results, curves,
             state)


def label(workdirs):
  """Short names of folders, each its own."""
  paths = [os.path.abspath(w) for w in workdirs]
  root = os.path.commonpath([os.path.dirname(p) for p in paths])
  return [os.path.relpath(p, root) for p in paths]


def text(value):
  """A value for people, escaped."""
  return html.escape(f'{value:.4f}' if isinstance(value, float)
                     else str(value))


def table(head, rows):
  """A table in a box of its own, so that the page itself never scrolls."""
  aligned = [' class="number"' if any(isinstance(row[i], (int, float))
                                      for row in rows) else ''
             for i in range(len(head))]
  line = lambda tag, row: ''.join(
      f'<{tag}{kind}>{text(value)}</{tag}>'
      for kind, value in zip(aligned, row, strict=True))
  lines = [line('th', head), *(line('td', row) for row in rows)]
  body = '\n'.join(f'<tr>{cells}</tr>' for cells in lines)
  return f'<div class="box"><table>\n{body}\n</table></div>'


def image(kind, content, name):
  """A picture inside the page."""
  data = base64.b64encode(content).decode()
  return (f'<figure><img alt="{text(name)}" src="data:image/{kind};base64,'
          f'{data}"><figcaption>{text(name)}</figcaption></figure>')


def curve(metric, runs):
  """A metric by step, of the training and of the validation."""
  page = figures.Figure((4.4, 2.8), layout='constrained')
  axes = page.add_subplot()
  several, seen = len(runs) > 1, []
  for i, run in enumerate(runs):
    for split, line in (('', '-'), ('valid', '--')):
      if f'{split} {metric}'.strip() in run.curves:
        steps, values = run.curves[f'{split} {metric}'.strip()]
        thin = slice(None, None, -(-len(steps) // POINTS))
        axes.plot(steps[thin], values[thin], line, color=f'C{i}', lw=1.2,
                  label=f'{run.name} {split}'.strip() if several
                  else split or 'train')
        seen += filter(math.isfinite, values)
  if seen and max(seen) > 100 * min(seen) > 0:
    axes.set_yscale('log')
  axes.set_xlabel('step')
  axes.grid(alpha=.3)
  if several or len(axes.lines) > 1:
    axes.legend(fontsize=8)
  out = io.BytesIO()
  page.savefig(out, format='svg', metadata={'Date': None})
  return image('svg+xml', out.getvalue(), metric)


def metrics(runs):
  """The final metrics, a column for each run."""
  found, protocols = {}, {}
  for run in runs:
    for m in run.results.get('metrics', ()):
      key = m['name'], m['samples'], m.get('split', '')
      found.setdefault(key, {})[run.name] = (
          math.nan if m['value'] is None else float(m['value']))
      protocols.setdefault(key, {})[m.get('protocol', '')] = run
  head = [run.name for run in runs] if len(runs) > 1 else ['value']
  return table(('metric', *head, 'samples', 'split', 'protocol'), [
      (key[0], *(values.get(run.name, '') for run in runs), *key[1:],
       '; '.join(protocols[key])) for key, values in found.items()])


def options(values, runs, same=True):
  """Names and values, a column for each run; without `same` what differs."""
  flat = [resume.flat(value) for value in values]
  names = list(dict.fromkeys(name for one in flat for name in one))
  # As text: 32 is an option here, no number to be aligned.
  rows = [(name, *(str(one.get(name, '')) for one in flat)) for name in names]
  head = [run.name for run in runs] if len(runs) > 1 else ['value']
  return table(('name', *head), [row for row in rows
                                 if same or len(set(row[1:])) > 1])


def grid(parts):
  """As many columns as the screen has room for."""
  return '<div class="grid">\n' + '\n'.join(parts) + '\n</div>'


def pictures(runs):
  """All that the runs have drawn, those of one name side by side."""
  found = {}
  for run in runs:
    for path in sorted((run.workdir / 'images').glob('*.png')):
      found.setdefault(path.stem, {})[run.name] = path.read_bytes()
  if len(runs) == 1:
    return grid(image('png', content, name) for name, by_run in found.items()
                for content in by_run.values())
  return '\n'.join(f'<h3>{text(name)}</h3>\n' + grid(
      image('png', content, f'{name}, {run}')
      for run, content in by_run.items()) for name, by_run in found.items())


def digests(run):
  """What tells whether two results are the same."""
  return {k: run.results[k] for k in (
      'seed', 'evaluated_step', 'state_sha256', 'weights_sha256', 'code_sha256')
          if k in run.results}


def section(title, body):
  """A part of the page."""
  return f'<section>\n<h2>{text(title)}</h2>\n{body}\n</section>'


def page(runs):
  """The whole page."""
  title = ' and '.join(run.name for run in runs)
  shown = {name.removeprefix('valid ') for run in runs for name in run.curves}
  shown = sorted(shown, key=lambda name: (name != 'loss', name))
  parts = [f'<p>{text(run.name)}: {text(run.state)}; {text(run.workdir)}</p>'
           for run in runs]
  parts += [
      section('Final metrics', metrics(runs)),
      section('Curves', grid(curve(name, runs) for name in shown)),
      section('Pictures', pictures(runs))]
  configs = [run.config for run in runs]
  if len(runs) > 1:
    parts.append(section('Options that differ', options(configs, runs, False)))
  parts.append(section(
      'Options', '<details><summary>all options</summary>\n'
      f'{options(configs, runs)}\n</details>'))
  parts += [
      section('Environment and data', options([r.about for r in runs], runs)),
      section('Digests', options([digests(r) for r in runs], runs))]
  body = '\n'.join(parts)
  return (
      '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
      '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
      f'<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
      f'<h1>{text(title)}</h1>\n{body}\n</body>\n</html>\n')


def write(workdirs, output=''):
  """Writes the page on the runs in `workdirs`.  Returns its path."""
  names = label(workdirs) if len(workdirs) > 1 else ['']
  if len(set(names)) < len(names):
    raise errors.UserError('--compare: a run is named twice')
  runs = [read(*both) for both in zip(workdirs, names, strict=True)]
  path = storage.path(output or storage.path(workdirs[0]) / 'report.html')
  files.replace(path, page(runs).encode())
  return path


def main(argv=None):
  """Writes a report."""
  parser = cli.parser(__doc__, prog='python -m swae_jax.report')
  parser.add_argument('--workdir', default='', help='that of a run')
  parser.add_argument('--compare', default='', help='of several, with commas')
  parser.add_argument('--output', default='',
                      help='report.html in the first workdir if absent')
  flags = parser.parse_args(argv)
  workdirs = list(filter(None, [flags.workdir, *flags.compare.split(',')]))
  try:
    if not workdirs:
      raise errors.UserError('give the --workdir of a run, or --compare=A,B')
    print(write(workdirs, flags.output))
  except (Exception, KeyboardInterrupt) as e:
    errors.end(e)


if __name__ == '__main__':
  signals.install()
  main()
