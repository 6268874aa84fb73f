"""Shows a run to a person: a summary, its progress, its results."""
import atexit
from collections.abc import Iterable, Mapping, Sequence
import io
import math
import shlex
import sys
import time
from typing import Any

import jax
import rich.cells
import rich.console
import rich.live
import rich.progress_bar
import rich.table
import rich.text

from swae_jax import errors
from swae_jax.host import output

SILENCE = 30.  # Seconds without a line, after which one is due.
SHORTEST_BAR = 16  # Columns that the bar keeps beside the metrics.


def table(rows: Iterable[Sequence[Any]], head: Sequence[str]) -> str:
  """Columns of text: the first aligned to the left, the others to the right."""
  file = io.StringIO()
  rich.console.Console(file=file, width=10_000).print(_table(rows, head))
  return '\n'.join(line.rstrip() for line in file.getvalue().splitlines())


def _table(rows: Iterable[Sequence[Any]],
           head: Sequence[str]) -> rich.table.Table:
  grid = rich.table.Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
  for i, name in enumerate(head):
    # Names that do not fit fold into two lines; nothing is cut.
    grid.add_column(name, justify='right' if i else 'left', overflow='fold')
  for row in rows:
    grid.add_row(*(rich.text.Text(errors.printable(cell)) for cell in row))
  return grid


def parameters(variables: Any) -> list[tuple[str, int, str]]:
  """(name, tensors, numbers) of each part of each player, then the total.

  Args:
    variables: a systems.base.Variables.
  """
  rows = []
  for player, tree in variables.params.items():
    for part, inner in tree.items():
      leaves = jax.tree.leaves(inner)
      rows.append((f'{player}/{part}', len(leaves),
                   f'{sum(x.size for x in leaves):,}'))
  leaves = jax.tree.leaves(variables.params)
  rows.append(('total', len(leaves), f'{sum(x.size for x in leaves):,}'))
  return rows


def number(value: float) -> str:
  """A metric as text; a small value gets more decimals than a large one."""
  size = abs(value)
  if not math.isfinite(value) or size >= 1e7 or 0 < size < 1e-3:
    return f'{value:.3g}'
  return f'{value:,.{4 if size < 10 else 2 if size < 1000 else 1}f}'


def duration(seconds: float) -> str:
  """1:05 for 65 seconds, 2:00:00 for two hours."""
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return (f'{hours}:{minutes:02}:{seconds:02}' if hours
          else f'{minutes}:{seconds:02}')


class Console:
  """A line of progress on a terminal, plain lines elsewhere.

  The loop calls `tick` after every step, `step` with the metrics of each
  logged step, and `close` at the end of training.
  """

  def __init__(self, quiet: bool = False):
    self.quiet = quiet
    # In a notebook rich needs widgets, so the console prints plain lines.
    self._file: Any = output.Guarded(sys.stdout) if sys.stdout else None
    self._rich = rich.console.Console(
        file=self._file, soft_wrap=True, highlight=False)
    self._terminal = (
        self._rich.is_terminal and not self._rich.is_jupyter
        and not self._rich.is_dumb_terminal and not quiet)
    self._live = None
    self._workdir = None
    self._metrics: dict[str, float] = {}
    self.begin(0, 0, 0)

  def line(self, text: str) -> None:
    """Prints a line, or several."""
    if self.quiet:
      return
    text = errors.printable(text, lines=True)
    if self._terminal:  # Above the line of progress, if there is one.
      self._rich.print(rich.text.Text(text))
    else:
      print(text, file=self._file, flush=True)

  def start(self, run: Any, state: Any, workdir: Any) -> None:
    """Shows devices, data, system, parameters, and where the run begins.

    Args:
      run: the parts of the run, a training.build.Run.
      state: the state from which the run goes on.
      workdir: the folder of the run.
    """
    config, dataset, step = run.config, run.dataset, int(state.step)
    self._workdir = workdir
    splits = ', '.join(f'{len(getattr(dataset, split).images)} {split}'
                       for split in ('train', 'valid', 'test'))
    shape = 'x'.join(map(str, dataset.train.images.shape[1:]))
    parts = [f'{part} {config[part].name}' for part in (
        'penalty', 'network', 'prior') if part in config]
    for name, text in (
        ('devices', f'{run.mesh.size} x '
         f'{run.mesh.devices.flat[0].device_kind}, {jax.process_count()} '
         f'process{"es" * (jax.process_count() > 1)}, jax {jax.__version__}'),
        ('data', f'{dataset.name} {shape}: {splits}'
         f'{", binarised at each step" if dataset.binarize else ""}'),
        ('', f'differs from the full set: {dataset.provenance["difference"]}'),
        ('system', f'{config.system.name}: {", ".join(parts)}, '
         f'{config.latents} latents'),
        ('workdir', workdir),
        ('steps', f'{run.steps} of {config.train.batch_size} examples; '
         f'{f"resuming at step {step}" if step else "new run"}')):
      self.line(f'{name:<10}{errors.printable(text)}')
    for line in dataset.provenance.get('read', ()):
      self.line(f'{"":<10}{errors.printable(line)}')
    self.table(parameters(state.variables),
               ('parameters', 'tensors', 'numbers'))
    self.begin(step, run.steps, config.train.batch_size)

  def table(self, rows: Iterable[Sequence[Any]], head: Sequence[str]) -> None:
    """Prints a table between empty lines."""
    if self._terminal:
      self.line('')
      self._rich.print(_table(rows, head), soft_wrap=False)
      self.line('')
    else:
      self.line(f'\n{table(rows, head)}\n')

  def compiled(self, seconds: float, cost: Mapping[str, float],
               memory: Any) -> None:
    """Shows the compiler's figures for the step.

    Args:
      seconds: the time of the compilation.
      cost: `cost_analysis()` of the compiled step.
      memory: `memory_analysis()` of the compiled step.
    """
    flops = cost.get('flops', 0.) / self.batch_size
    self.line(f'compiled in {seconds:.1f} s: {flops / 1e9:.3g} GFLOP an '
              f'example, {memory.temp_size_in_bytes / 2**20:.0f} MiB of '
              'temporaries')

  def begin(self, step: int, steps: int, batch_size: int) -> None:
    """Notes where the run begins; the clock starts at the first step."""
    self.now, self.steps, self.batch_size = step, steps, batch_size
    self._first = self._since = None
    self._shown = time.monotonic()

  def tick(self, step: int) -> None:
    """Notes that a step is done; cheap enough for every step."""
    self.now, now = step, time.monotonic()
    if self._since is None:  # The pace leaves the compilation out.
      self._first, self._since, self._shown = step, now, now
      if self._terminal:
        self._live = rich.live.Live(
            self, console=self._rich, vertical_overflow='crop')
        self._live.start()
        # Live hides the cursor, and a process that a signal ends at once
        # could not show it again.
        self._rich.show_cursor(True)
        atexit.register(self.close)
    elif self._live is None and now - self._shown >= SILENCE:
      self._print_step(self._metrics)

  def step(self, step: int, metrics: Mapping[str, float]) -> None:
    """Shows the metrics of a step."""
    self.tick(max(step, self.now))
    self._metrics = dict(metrics)
    if self._live is None:
      self._print_step(self._metrics, step)

  def valid(self, step: int, loss: float, better: bool) -> None:
    """Shows a validation loss."""
    self.line(f'step {step}/{self.steps} valid loss {loss:.4f}'
              f'{", the best so far" if better else ""}')

  def close(self) -> None:
    """Ends the line of progress; its last state stays on the terminal."""
    if self._live is not None:
      self._live.stop()
      self._live = None
      atexit.unregister(self.close)

  def __enter__(self) -> 'Console':
    return self

  def __exit__(self, *exception: Any) -> None:
    self.close()

  def finished(self, results: Mapping[str, Any], workdir: Any) -> None:
    """Shows a run that has nothing left to do."""
    self.line(f'already finished at step {results["step"]}: '
              f'{errors.printable(workdir)}')
    self.results(results, workdir)

  def results(self, results: Mapping[str, Any], workdir: Any = None) -> None:
    """Shows the final metrics, the pictures, and commands to try next.

    Args:
      results: the content of results.json.
      workdir: the folder of the run; None takes the folder given to `start`.
    """
    self.close()
    self.table([(m['name'], number(m['value']), f'{m["samples"]:,}')
                for m in results['metrics']], ('metric', 'value', 'samples'))
    workdir = workdir or self._workdir
    for path in results['pictures']:
      path = f'{workdir}/{path}' if workdir else path
      self.line(f'picture   {errors.printable(path)}')
    if workdir:
      self._next(str(workdir))

  def _next(self, workdir: str) -> None:
    """Shows commands for a trained run, to copy."""
    run = shlex.quote(workdir)
    code = ('import swae_jax; '
            f'print(swae_jax.load({workdir!r}).sample(4).shape)')
    if any(c in workdir for c in '\'"\\$`!'):
      code = shlex.quote(code)
    else:
      code = f'"{code}"'
    # A line break in a name would end a command.
    run, code = errors.printable(run), errors.printable(code)
    self.line('\n'.join((
        '\nnext', f'  swae report --workdir={run}',
        f'  swae apply sample --workdir={run} --n=64 --output=grid.png',
        f'  python -c {code}')))

  def _pace(self) -> list[str]:
    """The rate and the time to go; the compilation does not count."""
    done = self.now - (self._first or 0)
    seconds = time.monotonic() - self._since if self._since else 0.
    if done < 1 or seconds <= 0:
      return []
    rate = done / seconds
    images = rate * self.batch_size
    return [f'{images:,.{0 if images >= 10 else 1}f} images/s',
            f'{duration((self.steps - self.now) / rate)} to go']

  def _print_step(self, metrics: Mapping[str, float],
                  step: int | None = None) -> None:
    self._shown = time.monotonic()
    shown = ' '.join(f'{k} {v:.4g}' for k, v in metrics.items())
    pace = ', '.join(self._pace())
    self.line(f'step {self.now if step is None else step}/{self.steps}'
              f'{shown and " "}{shown}{pace and " | "}{pace}')

  def __rich_console__(self, console: rich.console.Console,
                       options: rich.console.ConsoleOptions) -> Iterable[Any]:
    """The line of progress: loss, pace, other metrics, bar, steps."""
    metrics = [f'{k} {v:.4g}' for k, v in self._metrics.items()]
    texts = [*metrics[:1], *self._pace()]
    steps = f'{self.now}/{self.steps}'
    # One column less: a full line would wrap in some terminals.
    room = options.max_width - 1 - rich.cells.cell_len(steps) - sum(
        rich.cells.cell_len(text) + 2 for text in texts)
    for text in metrics[1:]:
      if room - len(text) - 2 < SHORTEST_BAR + 2:
        break
      texts.append(text)
      room -= len(text) + 2
    grid = rich.table.Table.grid(padding=(0, 2, 0, 0))
    cells: list[Any] = [rich.text.Text(text, no_wrap=True) for text in texts]
    if room > 4:
      cells.append(rich.progress_bar.ProgressBar(
          self.steps, self.now, width=room - 2))
    grid.add_row(*cells, rich.text.Text(steps, no_wrap=True))
    yield grid
