"""Evaluates a trained state: what results.json holds."""
import functools
import hashlib
import pathlib
import platform

import flax
import jax
import numpy as np
import optax

from swae_jax import errors, evals
from swae_jax.evals import base as evals_base
from swae_jax.training import build
from swae_jax.workdir import checkpoint, digests, files, folder, storage


@functools.cache
def code_sha256():
  """One digest of the source of this package."""
  root = pathlib.Path(__file__).parent
  digest = hashlib.sha256()
  for path in sorted(root.rglob('*.py')):
    digest.update(f'{path.relative_to(root).as_posix()}\0'.encode())
    digest.update(path.read_bytes() + b'\0')
  return digest.hexdigest()


def inputs(dataset):
  """What the data are to a system, which can then be used without them."""
  images = dataset.train.images
  return {'shape': list(images.shape[1:]), 'dtype': str(images.dtype),
          'bounded': dataset.bounded, 'binarize': dataset.binarize,
          'classes': dataset.classes}


def provenance(run, state):
  """What a result depends on besides the config."""
  return {
      'versions': {m.__name__: m.__version__ for m in (jax, flax, optax, np)},
      'python': platform.python_version(),
      'devices': [str(d.device_kind) for d in run.mesh.devices.flat],
      'processes': jax.process_count(),
      'data': {'name': run.dataset.name, **run.dataset.provenance},
      'input': inputs(run.dataset),
      'epoch': run.epoch,
      'parameters': {player: sum(x.size for x in jax.tree.leaves(tree))
                     for player, tree in state.variables.params.items()},
  }


def evaluate(run, state, workdir):
  """Every evaluator that the config turns on, in order, and on what."""
  key = jax.random.fold_in(jax.random.key(run.config.seed), 2)
  view = evals_base.view(run.system, state.variables, run.dataset, key)
  metrics, pictures = [], []
  for name, options in run.config.evals.items():
    options = dict(options)
    if not options.pop('run'):
      continue
    for found in evals.EVALS[name].run(view, **options):
      if isinstance(found, evals_base.Metric):
        metrics.append(found._asdict())
      else:
        path = workdir / 'images' / f'{found.name}.png'
        pictures.append(str(files.save_image(path, found.image)))
  return {
      'evaluated_step': int(state.step),
      'seed': run.config.seed,
      'data': {'name': run.dataset.name, **run.dataset.provenance},
      'code_sha256': code_sha256(),
      'weights_sha256': digests.summary(state.variables),
      'metrics': metrics,
      'pictures': pictures,
  }


def again(workdir, config=None):
  """Evaluates the run in a workdir once more and renews its results.json.

  The config is that of the run; of another only the evaluators, the devices and
  the place of the data are heeded.  A metric or picture that is computed again
  replaces the old one, the others stay.
  """
  workdir = storage.path(workdir)
  own = folder.read_config(workdir)
  if config is not None:
    own.evals, own.devices = config.evals, config.devices
    for name in {'dir', 'cache_dir'} & set(own.data) & set(config.data):
      own.data[name] = config.data[name]
  run = build.build(own)
  where = checkpoint.evaluated(workdir, own.train.select)
  with checkpoint.Checkpoints(where) as checkpoints:
    state = checkpoints.restore(build.init(run))
  if state is None:
    raise errors.UserError(f'{where} holds no checkpoint yet; train first')
  old = files.read_json(workdir / 'results.json') or {}
  new = evaluate(run, state, workdir)
  fresh = {m['name'] for m in new['metrics']}
  kept = old.get('weights_sha256') == new['weights_sha256']
  new['metrics'] += [m for m in old.get('metrics', ())
                     if kept and m['name'] not in fresh]
  new['pictures'] += [p for p in old.get('pictures', ())
                      if kept and p not in new['pictures']]
  results = old | new
  files.write_json(workdir / 'results.json', results)
  return results
