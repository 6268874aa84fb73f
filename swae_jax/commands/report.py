"""Writes one HTML page about a run, or about several runs side by side.

  swae report --workdir=RUN [--output=report.html]
  swae report --compare=RUN,RUN [--output=report.html]

The page needs no network and no other file.  Unfinished runs are shown, too.
"""
import base64
from collections.abc import Iterable, Sequence
import io
import math
import os
import pathlib
from typing import Any, NamedTuple
import warnings

import jinja2
import markupsafe
from matplotlib import figure as figures
from matplotlib import ticker
import numpy as np

from swae_jax import errors
from swae_jax.commands import captions, cli
from swae_jax.training import config as config_lib
from swae_jax.workdir import files, folder, metrics_log, storage

POINTS = 1000  # of a curve; longer curves are thinned
LARGEST = 1 << 25  # bytes of a picture
READ = ('config.json', 'run.json', 'results.json', 'cell.json',
        'metrics.jsonl', 'valid.jsonl')
PNG = b'\x89PNG\r\n\x1a\n'


class Run(NamedTuple):
  """The facts on a run that a page shows."""
  name: str
  workdir: Any
  config: dict[str, Any]
  about: dict[str, Any]  # run.json
  results: dict[str, Any]  # empty if the run is not finished
  curves: dict[str, tuple[list[int], list[float]]]  # {metric: (steps, values)}
  state: str

  @property
  def summary(self) -> str:
    """The parts and the size of the run, in a line."""
    parts = [f'{word} {self.config[key]["name"]}' for key, word in (
        ('data', 'data set'), ('system', 'system'), ('penalty', 'penalty'),
        ('network', 'network'), ('prior', 'prior')) if key in self.config]
    return ' · '.join([*parts, f'{self.config["latents"]} latents',
                       f'seed {self.config["seed"]}'])


class Table(NamedTuple):
  """Rows of values under a head."""
  head: Sequence[str]
  rows: list[tuple]

  def align(self, column: int) -> str:
    """The attribute of the cells of a column: aligns numbers to the right."""
    numeric = any(isinstance(row[column], (int, float)) for row in self.rows)
    return markupsafe.Markup(' class="number"') if numeric else ''


class Figure(NamedTuple):
  """A picture in the page."""
  name: str
  title: str
  address: str  # a data: URL with the whole content
  note: str = ''


def read(workdir: Any, name: str = '') -> Run:
  """The Run of a workdir."""
  workdir = storage.path(workdir)
  for file in READ:
    if fault := _fault(workdir, workdir / file):
      raise errors.DamagedData(f'{workdir / file}: it is not read: {fault}')
  config = folder.read_config(workdir).to_dict()
  results = folder.read_results(workdir) or {}
  curves = (_columns(workdir / 'metrics.jsonl')
            | _columns(workdir / 'valid.jsonl', 'valid '))
  last = max((steps[-1] for steps, _ in curves.values()), default=0)
  state = f'Not finished: the last line of metrics is that of step {last}.'
  if results:
    early = ', stopped early' if results.get('stopped_early') else ''
    state = f'Finished at step {results.get("step", last)}{early}.'
  cell = files.read_json(workdir / 'cell.json') or {}
  if cell.get('state') in ('diverged', 'failed'):
    state = f'{cell["state"].capitalize()}: {cell.get("error", "")}'
  return Run(name or config['name'] or workdir.name, workdir, config,
             files.read_json(workdir / 'run.json') or {}, results, curves,
             state)


def _columns(path: Any, prefix: str = ''
             ) -> dict[str, tuple[list[int], list[float]]]:
  """{metric: (steps, values)} of a file of metrics."""
  found = {}
  if not path.exists():
    return found
  with metrics_log.Metrics(path, np.inf, write=False) as file:
    for row in file.rows:
      for name, value in row.items():
        if name != 'step':
          steps, values = found.setdefault(prefix + name, ([], []))
          steps.append(row['step'])
          values.append(math.nan if value is None else value)
  return found


def labels(workdirs: Sequence[str]) -> list[str]:
  """Short names of folders, all different."""
  paths = [os.path.abspath(os.path.expanduser(w)) for w in workdirs]
  root = os.path.commonpath([os.path.dirname(p) for p in paths])
  return [os.path.relpath(p, root) for p in paths]


def _address(kind: str, content: bytes) -> str:
  return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


def curves(runs: Sequence[Run]) -> list[Figure]:
  """A curve for each metric, the loss first."""
  names = {name.removeprefix('valid ') for run in runs for name in run.curves}
  return [Figure(name, name, _address('svg+xml', curve(name, runs)),
                 captions.curve(name))
          for name in sorted(names, key=lambda name: (name != 'loss', name))]


def curve(metric: str, runs: Sequence[Run]) -> bytes:
  """An SVG of a metric by step, in training and in validation."""
  page = figures.Figure((4.4, 2.8), layout='constrained')
  axes = page.add_subplot()
  several, seen = len(runs) > 1, []
  for i, run in enumerate(runs):
    for split, line in (('', '-'), ('valid', '--')):
      if f'{split} {metric}'.strip() in run.curves:
        steps, values = run.curves[f'{split} {metric}'.strip()]
        thin = slice(None, None, -(-len(steps) // POINTS))
        # A curve of one point is a dot.
        axes.plot(steps[thin], values[thin], line, color=f'C{i}', lw=1.2,
                  marker='o' if len(steps) == 1 else None,
                  label=_label(f'{run.name} {split}' if several
                               else split or 'train'))
        seen += filter(math.isfinite, values)
  if seen and max(seen) > 100 * min(seen) > 0:
    axes.set_yscale('log')
  axes.set_xlabel('step')
  axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
  axes.grid(alpha=.3)
  if several or len(axes.lines) > 1:
    for text in axes.legend(fontsize=8).get_texts():
      text.set_parse_math(False)  # A name may hold a $.
  out = io.BytesIO()
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # The font may lack a letter.
    page.savefig(out, format='svg', transparent=True, metadata={'Date': None})
  return out.getvalue()


def _label(text: str) -> str:
  """A text for a legend; matplotlib leaves out those that begin with _."""
  text = errors.printable(text.strip())
  return f' {text}' if text.startswith('_') else text


def metrics(runs: Sequence[Run]) -> Table:
  """The final metrics, a column for each run."""
  found, protocols = {}, {}
  for run in runs:
    for m in run.results.get('metrics', ()):
      key = m['name'], m['samples'], m.get('split', '')
      found.setdefault(key, {})[run.name] = (
          math.nan if m['value'] is None else float(m['value']))
      protocols.setdefault(key, {})[m.get('protocol', '')] = run
  rows = []
  for key, values in found.items():
    text, better = captions.metric(key[0])
    rows.append((key[0], *(values.get(run.name, '') for run in runs), better,
                 text, *key[1:], '; '.join(filter(None, protocols[key]))))
  return Table(('metric', *_head(runs), 'better', 'meaning', 'samples', 'split',
                'protocol'), rows)


def _head(runs: Sequence[Run]) -> list[str]:
  return [run.name for run in runs] if len(runs) > 1 else ['value']


def options(values: Iterable[dict], runs: Sequence[Run]) -> Table:
  """Names and values, a column for each run."""
  flat = [config_lib.flat(value) for value in values]
  names = list(dict.fromkeys(name for one in flat for name in one))
  # Options are text, so that a number such as 32 is not aligned.
  return Table(('name', *_head(runs)), [
      (name, *(str(one.get(name, '')) for one in flat)) for name in names])


def differing(table: Table) -> Table | None:
  """The rows of `options` whose values differ, or None if there is one run."""
  if len(table.head) < 3:
    return None
  return table._replace(rows=[r for r in table.rows if len(set(r[1:])) > 1])


def pictures(runs: Sequence[Run]) -> dict[str, list[Figure]]:
  """{title: the pictures of the runs}; one run has the title '' for all."""
  several, found = len(runs) > 1, {}
  paths = [(run, path) for run in runs
           for path in (run.workdir / 'images').glob('*.png')]
  for run, path in sorted(paths, key=lambda both: captions.order(
      both[1].stem)):
    if not _fault_of_picture(run, path):
      title = path.stem.replace('_', ' ')
      found.setdefault(title if several else '', []).append(Figure(
          f'{path.stem}, {run.name}' if several else path.stem,
          run.name if several else title, _address('png', path.read_bytes())))
  return found


def _fault(workdir: Any, path: Any) -> str:
  """Why a file of a run is not read; '' if it may be, or is not there.

  The run may be that of somebody else, and the page may be passed on.
  """
  if storage.in_bucket(path) or not os.path.lexists(path):
    return ''
  root, real = os.path.realpath(workdir), os.path.realpath(path)
  if os.path.commonpath([root, real]) != root:
    return 'it is a link out of the run'
  return '' if os.path.isfile(real) else 'it is no plain file'


def _fault_of_picture(run: Run, path: Any) -> str:
  if fault := _fault(run.workdir, path):
    return fault
  if not storage.in_bucket(path) and os.path.getsize(path) > LARGEST:
    return f'it has more than {LARGEST:,} bytes'
  with path.open('rb') as file:
    return '' if file.read(len(PNG)) == PNG else 'it is no PNG'


def left_out(runs: Sequence[Run]) -> list[str]:
  """A line on each picture that the page does not show."""
  return [f'{run.name}: images/{path.name} is not shown: {fault}'
          for run in runs
          for path in sorted((run.workdir / 'images').glob('*.png'))
          if (fault := _fault_of_picture(run, path))]


def digests(run: Run) -> dict[str, Any]:
  """The values that tell whether two results are equal."""
  return {k: run.results[k] for k in (
      'seed', 'evaluated_step', 'state_sha256', 'weights_sha256', 'code_sha256')
          if k in run.results}


def shown(value: Any) -> str:
  """A value as text."""
  return f'{value:.4f}' if isinstance(value, float) else str(value)


def visible(value: Any) -> Any:
  """A text of the page without characters that cannot be seen."""
  if isinstance(value, markupsafe.Markup):
    return value
  return errors.printable(value, lines=True)


def page(runs: Sequence[Run]) -> str:
  """The page about some runs."""
  made = jinja2.Environment(
      loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent),
      autoescape=True, undefined=jinja2.StrictUndefined, finalize=visible)
  made.filters['shown'] = shown
  every = options([run.config for run in runs], runs)
  return made.get_template('report.html.jinja').render(
      title=' and '.join(run.name for run in runs), runs=runs,
      metrics=metrics(runs), curves=curves(runs), pictures=pictures(runs),
      left_out=left_out(runs),
      validated=any('valid loss' in run.curves for run in runs),
      options=every, differing=differing(every),
      about=options([run.about for run in runs], runs),
      digests=options([digests(run) for run in runs], runs))


def write(workdirs: Sequence[str], output: str = '') -> Any:
  """Writes the page about the runs in `workdirs`; returns its path."""
  names = labels(workdirs) if len(workdirs) > 1 else ['']
  if len(set(names)) < len(names):
    raise errors.UserError('--compare: a run is named twice')
  path = storage.path(
      output or storage.path(workdirs[0]) / 'report.html')
  if path.is_dir():
    raise errors.UserError(f'--output={output}: it is a folder; give a file')
  if output:
    cli.check_output(path)
  with cli.user_paths():
    files.replace(path, _page_of(workdirs, names).encode())
  return path


def _page_of(workdirs, names):
  try:
    return page([read(*both) for both in zip(workdirs, names, strict=True)])
  except (AttributeError, LookupError, TypeError, ValueError,
          RecursionError) as e:
    # The files of others may hold any JSON.
    raise errors.DamagedData(
        f'{", ".join(map(str, workdirs))}: the files are not those of a run '
        f'({type(e).__name__}: {e}); swae verify checks them') from e


def main(argv: list[str]) -> None:
  """Writes a report."""
  parser = cli.parser(__doc__, prog='swae report')
  parser.add_argument('--workdir', default='', metavar='RUN',
                      help='the workdir of a run')
  parser.add_argument('--compare', default='', metavar='RUN,RUN',
                      help='the workdirs of several runs, joined by commas')
  parser.add_argument('--output', default='', metavar='FILE',
                      help='default: report.html in the first workdir')
  flags = parser.parse_args(argv)
  workdirs = list(filter(None, [flags.workdir, *flags.compare.split(',')]))
  if not workdirs:
    parser.error('give the --workdir of a run, or --compare=RUN,RUN')
  print(errors.printable(write([str(w) for w in workdirs], flags.output)))
