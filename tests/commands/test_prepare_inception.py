"""The weights of Inception, made by the command from another project's file."""
import os
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

from swae_jax.evals.inception import sources, weights

ROOT = pathlib.Path(__file__).parent.parent.parent


def prepare(folder, *args):
  return subprocess.run(
      [sys.executable, '-m', 'swae_jax', 'prepare', f'--data_dir={folder}',
       *args], cwd=ROOT, text=True, capture_output=True,
      env={**os.environ, 'JAX_PLATFORMS': 'cpu'}, check=False)


def test_the_file_of_jax_fid_is_converted(tmp_path):
  tree, rng = {}, np.random.default_rng(0)
  for name in sources.NAMES:
    node = tree
    for key in name.split('.'):
      node = node.setdefault(key, {})
    node['conv'] = {'kernel': rng.normal(size=(1, 1, 3, 2)).astype('f4')}
    node['bn'] = {part: rng.uniform(.5, 1.5, 2).astype('f4')
                  for part in ('scale', 'bias', 'mean', 'var')}
  source = tmp_path / 'a.pickle'
  source.write_bytes(pickle.dumps(tree))
  found = prepare(tmp_path, 'inception', f'--from={source}')
  assert found.returncode == 0, found.stderr
  path = weights.find(str(tmp_path))
  assert path.name == weights.WHOLE
  taps, sha256 = weights.content(path)
  assert taps[0] == 64 and sha256 in found.stdout


@pytest.mark.parametrize('code, words, args', [
    (66, 'get pt_inception', ['inception']),
    (66, "no file '/nowhere'", ['inception', '--from=/nowhere']),
    (2, 'takes --from', ['mnist', '--from=/nowhere']),
    (2, 'no options', ['inception', 'size=3'])])
def test_a_mistake_in_the_command_is_one_line(tmp_path, code, words, args):
  found = prepare(tmp_path, *args)
  assert found.returncode == code, found.stderr
  line, = found.stderr.splitlines()
  assert line.startswith('swae_jax: ') and words in line
