"""What a person sees of a run: a summary, its progress, its results."""
import sys
import time

import jax
import tqdm


def table(rows, head):
  """Aligned columns of text: the first to the left, the others to the right."""
  rows = [head, *([str(cell) for cell in row] for row in rows)]
  widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
  return '\n'.join('  '.join(
      cell.ljust(width) if i == 0 else cell.rjust(width)
      for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
      for row in rows)


def parameters(variables):
  """(name, tensors, numbers) of each part of each player, then the total."""
  rows = []
  for player, tree in variables.params.items():
    for part, inner in tree.items():
      leaves = jax.tree.leaves(inner)
      rows.append((f'{player}/{part}', len(leaves),
                   f'{sum(x.size for x in leaves):,}'))
  leaves = jax.tree.leaves(variables.params)
  rows.append(('total', len(leaves), f'{sum(x.size for x in leaves):,}'))
  return rows


class Console:
  """One bar with the time to go on a terminal, plain lines elsewhere."""

  def __init__(self, quiet=False):
    self.quiet = quiet
    self.bar = None

  def line(self, text):
    """Prints a line, or several."""
    if not self.quiet:
      print(text, flush=True)

  def start(self, run, state, workdir):
    """Devices, data, parameters, and whether the run is new."""
    devices = run.mesh.devices.flat
    splits = ', '.join(f'{len(getattr(run.dataset, split).images)} {split}'
                       for split in ('train', 'valid', 'test'))
    shape = 'x'.join(map(str, run.dataset.train.images.shape[1:]))
    self.line(f'devices   {run.mesh.size} x {devices[0].device_kind}, '
              f'{jax.process_count()} process(es), jax {jax.__version__}')
    self.line(f'data      {run.dataset.name} {shape}: {splits}'
              f'{", binarised at each step" if run.dataset.binarize else ""}')
    self.line(f'          differs from the full set: '
              f'{run.dataset.provenance["difference"]}')
    parts = [f'{part} {run.config[part].name}' for part in (
        'penalty', 'network', 'prior') if part in run.config]
    self.line(f'system    {run.config.system.name}, {", ".join(parts)}, '
              f'{run.config.latents} latents')
    self.line(table(parameters(state.variables),
                    ('parameters', 'tensors', 'numbers')))
    step = int(state.step)
    self.line(f'workdir   {workdir}')
    self.line(f'steps     {run.steps} of {run.config.train.batch_size} '
              f'examples; {f"resuming at step {step}" if step else "new run"}')
    self.begin(step, run.steps, run.config.train.batch_size)

  def compiled(self, seconds, cost, memory):
    """What the compiler says of the step."""
    flops = cost.get('flops', 0.) / self.batch_size
    self.line(f'step      {flops / 1e9:.3g} GFLOP an example, '
              f'{memory.temp_size_in_bytes / 2**20:.0f} MiB of temporaries; '
              f'compiled in {seconds:.1f} s')

  def valid(self, step, loss, better):
    """Shows a validation loss."""
    self.say(f'step {step}/{self.steps} valid loss {loss:.4f}'
             f'{", the best so far" if better else ""}')

  def say(self, text):
    """A line that does not break the bar."""
    if self.bar is not None:
      self.bar.write(text)
    else:
      self.line(text)

  def begin(self, step, steps, batch_size):
    """Starts the clock."""
    self.first = self.last = step
    self.steps, self.batch_size = steps, batch_size
    self.since = None  # The first lines of a run wait for the compiler.
    if sys.stderr.isatty() and not self.quiet:
      self.bar = tqdm.tqdm(total=steps, initial=step, unit='step')

  def step(self, step, metrics):
    """Shows the metrics of a step."""
    shown = ' '.join(f'{k} {v:.4g}' for k, v in metrics.items())
    if self.bar is not None:
      self.bar.set_postfix_str(shown, refresh=False)
      self.bar.update(step - self.last)
    else:
      self.line(f'step {step}/{self.steps} {shown}{self._pace(step)}')
    self.last = step
    if self.since is None:
      self.since, self.first = time.monotonic(), step

  def _pace(self, step):
    if self.since is None or step == self.first:
      return ''
    rate = (step - self.first) / (time.monotonic() - self.since)
    minutes, seconds = divmod(round((self.steps - step) / rate), 60)
    return (f' | {rate * self.batch_size:.0f} images/s, '
            f'{minutes}:{seconds:02} to go')

  def finished(self, results, workdir):
    """A run that has nothing left to do."""
    self.line(f'already finished at step {results["step"]}: {workdir}')
    self.results(results)

  def results(self, results):
    """The final metrics with the samples behind each, and the pictures."""
    if self.bar is not None:
      self.bar.close()
    self.line(table([(m['name'], f'{m["value"]:.4f}', m['samples'])
                     for m in results['metrics']],
                    ('metric', 'value', 'samples')))
    for path in results['pictures']:
      self.line(f'picture   {path}')
