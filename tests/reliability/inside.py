"""Faults that need no kill: many in one process, each a call."""
import errno
import functools
import gc
import json
import os
import random
import shutil
import subprocess
import sys

import faults
import jax
import jax.numpy as jnp
import numpy as np

import swae_jax
from swae_jax import errors, systems
from swae_jax.commands import export
from swae_jax.training import build, train
from swae_jax.workdir import checkpoint, digests
import tiny


class Cases:
  """Counts injections and failures by kind."""

  def __init__(self):
    self.counts = {}

  def tell(self, kind, failure=''):
    """One injection, and what was wrong, if anything was."""
    count = self.counts.setdefault(kind, [0, []])
    count[0] += 1
    if failure:
      count[1].append(failure)


def main(name, folder, out, n):
  """Does the cases of a name; writes what was found."""
  sys.unraisablehook = lambda *_: None  # Orbax leaves some on bad files.
  cases, rng = Cases(), random.Random(name)
  workdir = folder / name
  {'disk_full': disk_full, 'nans': nans, 'mutations': mutations,
   'device_pairs': device_pairs, 'flips': flips}[name](cases, rng, workdir, n)
  gc.collect()
  out.write_text(json.dumps(cases.counts))
  shutil.rmtree(workdir)


def disk_full(cases, rng, workdir, n):
  """No room from a random write on, for a while or for good."""
  config = tiny.config(steps=60, log_every=1, save_every=3)
  straight = train.run(config, workdir / 'straight')
  for i in range(n):
    at, left = rng.randint(1, 70), [rng.choice([1, 2, 5, 1000])]

    def full(name, passed=[0], at=at, left=left):  # noqa: B006
      if name not in ('save', 'metrics'):
        return
      passed[0] += 1
      if passed[0] >= at and left[0]:
        left[0] -= 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    there = workdir / str(i)
    try:
      with faults.installed(full):
        results = train.run(config, there)
    except errors.SaveFailed:
      results = train.run(config, there)
    same = (results['state_sha256'] == straight['state_sha256']
            and (there / 'metrics.jsonl').read_bytes()
            == (workdir / 'straight' / 'metrics.jsonl').read_bytes())
    cases.tell('disk_full', '' if same else f'from write {at} on: differs')
    shutil.rmtree(there)


def nans(cases, rng, workdir, n):
  """Losses that are not finite at random steps, with a restart between."""
  make = systems.SYSTEMS['swae']
  for _ in range(n):
    bad = sorted(rng.sample(range(20), rng.randint(1, 5)))
    value = rng.choice([np.nan, np.inf, -np.inf])

    @functools.wraps(make)
    def sick(*args, bad=bad, value=value, **options):
      system = make(*args, **options)

      def loss(*args):
        found, (stats, metrics) = system.loss(*args)
        found = found * jnp.where(jnp.isin(args[3], jnp.array(bad)), value, 1.)
        return found, (stats, {**metrics, 'loss': found})
      return system._replace(loss=loss)

    systems.SYSTEMS['swae'] = sick
    config = tiny.config(steps=20, save_every=1, max_to_keep=30)
    straight = train.run(config, workdir / 'a')
    train.run(tiny.config(steps=rng.randint(1, 19), save_every=1,
                          max_to_keep=30), workdir / 'b')
    again = train.run(config, workdir / 'b')
    failure = ''
    if straight['state_sha256'] != again['state_sha256']:
      failure = f'{value} at {bad}: another end after a restart'
    with checkpoint.Checkpoints(workdir / 'a' / 'checkpoints') as checkpoints:
      for step in checkpoints.steps():
        arrays = checkpoints.read(step)
        if not all(np.isfinite(x).all() for x in arrays.values()):
          failure = f'{value} at {bad}: not finite on disk at {step}'
      if list(arrays['skipped']) != [len(bad), _row(bad, 20)]:
        failure = f'{value} at {bad}: skipped {arrays["skipped"]}'
    cases.tell('nans', failure)
    shutil.rmtree(workdir)
  workdir.mkdir(parents=True)
  systems.SYSTEMS['swae'] = make


def _row(bad, end):
  """How many of the last steps are bad."""
  row = 0
  while end - 1 - row in bad:
    row += 1
  return row


def mutations(cases, rng, workdir, n):
  """Each file of the newest checkpoint damaged in each way; flips n times."""
  config = tiny.config(steps=4, save_every=2)
  train.run(config, workdir / 'run')
  like = build.init(build.build(config))
  good = workdir / 'run' / 'checkpoints'
  with checkpoint.Checkpoints(good) as checkpoints:
    whole, older = (_content(digests.rebuild(
        like, checkpoints.read(step), step)) for step in (4, 2))
  for file in sorted(p.relative_to(good) for p in (good / '4').rglob('*')
                     if p.is_file()):
    size = (good / file).stat().st_size
    ways = [('deleted', None), ('emptied', 0), ('halved', size // 2),
            ('shortened', size - 1)] + n * [('flipped', None)]
    for way, length in ways:
      if way not in ('deleted', 'flipped') and (size == 0 or length == size):
        continue
      if way == 'flipped' and size == 0:
        continue
      copy = workdir / 'copy'
      shutil.copytree(good, copy)
      _damage(copy / file, way, length, rng)
      cases.tell(way, _judge(copy, like, whole, older, f'{file} {way}'))
      shutil.rmtree(copy)


def _damage(path, way, length, rng):
  if way == 'deleted':
    path.unlink()
    return
  content = bytearray(path.read_bytes())
  if way == 'flipped':
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
  else:
    del content[length:]
  path.write_bytes(content)


def _judge(folder, like, whole, older, what):
  """'' where the damage does no harm, or is seen; else what is wrong."""
  said = []
  try:
    with checkpoint.Checkpoints(folder, 2) as checkpoints:
      state = checkpoints.restore(like, said.append)
  except Exception as e:
    return f'{what}: {type(e).__name__}: {e}'
  found = _content(state)
  if not said:
    return '' if found == whole else f'{what}: WRONG parameters, silently'
  if found != older or not (folder / 'corrupt-4').is_dir():
    return f'{what}: {said}'
  return ''


def _content(state):
  """All bytes of a state; not by the digests, which are judged here."""
  return [np.asarray(x).tobytes() for x in jax.tree.leaves(state)]


def flips(cases, rng, workdir, n):
  """A bit flipped in an export or a small file; n times each."""
  run = workdir / 'run'
  train.run(tiny.config(steps=4), run)
  model = swae_jax.load(run)
  export.write_safetensors(model, workdir / 'a.safetensors')
  export.write_stablehlo(model, workdir / 'a.stablehlo')
  right = model.sample(4)
  for _ in range(n):
    for where, kind in (
        (workdir / 'a.safetensors', 'flipped_exports'),
        (run / 'config.json', 'flipped_small_files'),
        (run / 'run.json', 'flipped_small_files')):
      whole = where.read_bytes()
      _damage(where, 'flipped', None, rng)
      failure = ''
      try:
        source = where if where.is_file() and where.suffix != '.json' else run
        if (swae_jax.load(source).sample(4) != right).any():
          failure = f'{where.name}: WRONG pictures, silently'
      except errors.UserError:
        pass
      except Exception as e:
        failure = f'{where.name}: {type(e).__name__}: {e}'
      cases.tell(kind, failure)
      where.write_bytes(whole)
    where = rng.choice(sorted((workdir / 'a.stablehlo').iterdir()))
    whole = where.read_bytes()
    _damage(where, 'flipped', None, rng)
    seen = subprocess.run(['sha256sum', '--strict', '-c', 'SHA256SUMS'],
                          cwd=where.parent, check=False).returncode
    cases.tell('flipped_exports', '' if seen else f'{where.name}: not seen')
    where.write_bytes(whole)


def device_pairs(cases, rng, workdir, n):
  """n times: begun on one number of devices, ended on another; all pairs."""
  del rng
  config = tiny.config(steps=20, log_every=1)
  config.devices = 1
  train.run(config, workdir / 'one')
  expected = _losses(workdir / 'one')
  for _ in range(n):
    for first in (1, 2, 4, 8):
      for second in {1, 2, 4, 8} - {first}:
        there = workdir / f'{first}-{second}'
        for steps, devices in ((10, first), (20, second)):
          config = tiny.config(steps=steps, log_every=1)
          config.devices = devices
          train.run(config, there)
        error = np.max(np.abs(_losses(there) / expected - 1))
        cases.tell('device_pairs', '' if error < 1e-5 else
                   f'{first} to {second} devices: losses differ by {error:.1e}')
        shutil.rmtree(there)
        jax.clear_caches()


def _losses(workdir):
  rows = map(json.loads, (workdir / 'metrics.jsonl').read_text().splitlines())
  return np.array([row['loss'] for row in rows])
