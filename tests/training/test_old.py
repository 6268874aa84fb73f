"""Runs that released versions have left: tests/old/<version>, of tests/tiny.py.

expected.json has codes and pictures of three images, as the version itself
computed them.
"""
import json
import pathlib
import shutil

import numpy as np
import pytest

import swae_jax
from swae_jax.commands import verify
from swae_jax.training import train
from swae_jax.workdir import folder
import tiny

OLD = sorted((pathlib.Path(__file__).parent / 'old').iterdir())


def test_this_version_has_left_one():
  assert swae_jax.__version__ in {run.name for run in OLD}


@pytest.mark.parametrize('old', OLD, ids=lambda old: old.name)
def test_it_gives_the_codes_it_gave(old):
  assert not any(fault for _, fault in verify.verify(old))
  expected = json.loads((old / 'expected.json').read_text())
  images = np.arange(3 * 64).reshape(3, 8, 8, 1) * 5 % 256
  model = swae_jax.load(old)
  codes = model.encode(images.astype(np.uint8))
  np.testing.assert_allclose(codes, expected['codes'], rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(model.decode(codes), expected['decoded'],
                             rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('old', OLD, ids=lambda old: old.name)
def test_it_goes_on(old, tmp_path, capsys):
  workdir = shutil.copytree(old, tmp_path / 'run')
  results = train.run(tiny.config(steps=12), workdir)
  assert results['step'] == 12
  assert 'resuming at step 10' in capsys.readouterr().out
  assert folder.find_identity(workdir) and not any(
      fault for _, fault in verify.verify(workdir))
  straight = train.run(tiny.config(steps=12), tmp_path / 'straight')
  for mine, theirs in zip(results['metrics'], straight['metrics'], strict=True):
    assert mine['name'] == theirs['name']
    np.testing.assert_allclose(mine['value'], theirs['value'], rtol=1e-4)
