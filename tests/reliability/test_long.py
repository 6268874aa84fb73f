"""A long run takes no more memory, and no more files, as it goes on."""
import os
import pathlib
import subprocess
import sys
import time

import psutil
import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
STEPS, WARM = 20_000, 5_000


@pytest.mark.slow
def test_memory_and_files_stay_what_they_are(tmp_path):
  said = tmp_path / 'said'
  with said.open('w') as file, subprocess.Popen(
      [sys.executable, '-m', 'swae_jax.main', '--config=tests/tiny_config.py',
       f'--config.train.steps={STEPS}', '--config.train.save_every=200',
       '--config.train.log_every=20', '--config.train.valid_every=20',
       '--config.train.select=best', f'--workdir={tmp_path}'],
      cwd=ROOT, env={**os.environ, 'PYTHONPATH': 'tests'},
      stdout=subprocess.DEVNULL, stderr=file) as process:
    seen = list(watch(process, tmp_path / 'metrics.jsonl'))
  assert process.returncode == 0, said.read_text()
  fifth = len(seen) // 5
  assert fifth > 3
  first, last = ([max(values) for values in zip(*part, strict=True)]
                 for part in (seen[:fifth], seen[-fifth:]))
  print(f'bytes and files, at first and at last: {first}, {last}')
  assert last[0] < 1.05 * first[0] and last[1] <= first[1], (first, last)


def watch(process, metrics):
  """(bytes of memory, open files) from time to time, while it trains."""
  watched = psutil.Process(process.pid)
  while process.poll() is None:
    lines = metrics.read_bytes().count(b'\n') if metrics.exists() else 0
    if WARM <= 20 * lines < STEPS:  # The evaluation is apart.
      try:
        yield watched.memory_info().rss, watched.num_fds()
      except psutil.Error:  # It has just ended.
        return
    time.sleep(.1)
