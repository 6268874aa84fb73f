"""The running totals of injected faults: a file, and a table in the README."""
import json
import pathlib
import time

import swae_jax

ROOT = pathlib.Path(swae_jax.__file__).parent.parent
PATH = ROOT / 'results' / 'reliability.json'
README = ROOT / 'README.md'
BEGIN, END = '<!-- totals -->\n', '<!-- end of totals -->\n'
ROWS = {
    'SIGKILL at a random moment': ['kills'],
    'SIGKILL at a named point': ['kills_at_points'],
    'SIGTERM at a random moment': ['sigterms'],
    'SIGINT at a random moment': ['sigints'],
    'SIGKILL, SIGTERM or SIGINT to one of two hosts': [
        'two_host_sigkills', 'two_host_sigterms', 'two_host_sigints'],
    'a bit flipped in a file of a checkpoint': ['flipped'],
    'a file of a checkpoint cut off or deleted': [
        'deleted', 'emptied', 'halved', 'shortened'],
    'a step that never ends (--watchdog)': ['hangs'],
    'compiled programs in the cache damaged': ['damaged_caches'],
    'disk full': ['disk_full'],
    'a real file system full or without inodes': ['small_disks', 'few_inodes'],
    'a file system read-only': ['read_only'],
    'SIGTERM while storage fails or is slow': [
        'sigterms_bad_storage', 'sigterms_slow_storage'],
    'the output on a full disk, or closed': ['lost_outputs'],
    'workdir moved, replaced or deleted under the run': ['moved'],
    'the clock set back': ['clocks'],
    'metrics.jsonl damaged': ['damaged_metrics'],
    'a bit flipped in an export or a small file': [
        'flipped_exports', 'flipped_small_files'],
    'losses that are not finite': ['nans'],
    'the same run started twice at once': ['double_starts'],
    'other number of devices on resuming': ['device_pairs'],
}


def merge(path, totals):
  """Adds totals to those in a file; what is shown, too, if that is PATH."""
  found = json.loads(path.read_text()) if path.exists() else {'totals': {}}
  for kind, total in totals.items():
    old = found['totals'].setdefault(kind, {'injected': 0, 'failed': 0})
    for name in old:
      old[name] += total[name]
  found.update(date=time.strftime('%Y-%m-%d'), version=swae_jax.__version__,
               command='python tests/reliability/soak.py --KIND=NUMBER ...')
  path.write_text(json.dumps(found, indent=2, sort_keys=True) + '\n')
  if path == PATH:
    show(found['totals'])


def table(totals):
  """Lines of Markdown."""
  lines = ['| injected | times | failed |', '|---|---|---|']
  for name, kinds in ROWS.items():
    counts = [totals[kind] for kind in kinds if kind in totals]
    if counts:
      injected, failed = (sum(count[key] for count in counts)
                          for key in ('injected', 'failed'))
      lines.append(f'| {name} | {injected} | {failed} |')
  return '\n'.join(lines) + '\n'


def show(totals):
  """Puts the table in its place in the README."""
  head, _, rest = README.read_text().partition(BEGIN)
  _, _, tail = rest.partition(END)
  README.write_text(head + BEGIN + table(totals) + END + tail)
