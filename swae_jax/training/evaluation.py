"""Evaluates a trained state, and makes the content of results.json."""
from collections.abc import Mapping
import functools
import hashlib
import pathlib
import platform
from typing import Any

import flax
import jax
import numpy as np
import optax

from swae_jax import errors, evals
from swae_jax.data import base as data_base
from swae_jax.evals import base as evals_base
from swae_jax.training import build, choice, parts, resume
from swae_jax.training import config as config_lib
from swae_jax.training import step as step_lib
from swae_jax.workdir import checkpoint, digests, files, folder, lock, storage


@functools.cache
def code_sha256() -> str:
  """One digest of the source of this package."""
  root = pathlib.Path(__file__).parent.parent
  digest = hashlib.sha256()
  for path in sorted(root.rglob('*.py')):
    digest.update(f'{path.relative_to(root).as_posix()}\0'.encode())
    digest.update(path.read_bytes() + b'\0')
  return digest.hexdigest()


def inputs(dataset: data_base.Dataset) -> dict[str, Any]:
  """The facts on the data that a system needs when the data are absent."""
  images = dataset.train.images
  return {'shape': list(images.shape[1:]), 'dtype': str(images.dtype),
          'bounded': dataset.bounded, 'binarize': dataset.binarize,
          'classes': dataset.classes, 'examples': len(images)}


def provenance(run: build.Run, state: step_lib.State) -> dict[str, Any]:
  """Everything besides the config that a result depends on."""
  return {
      'versions': {m.__name__: m.__version__ for m in (jax, flax, optax, np)},
      'python': platform.python_version(),
      'devices': [str(d.device_kind) for d in run.mesh.devices.flat],
      'processes': jax.process_count(),
      'data': {'name': run.dataset.name, **run.dataset.provenance},
      'input': inputs(run.dataset),
      'steps_per_epoch': run.steps_per_epoch,
      'parameters': {player: sum(x.size for x in jax.tree.leaves(tree))
                     for player, tree in state.variables.params.items()},
  }


def evaluate(run: build.Run, state: step_lib.State, workdir: Any,
             check: lock.Check = lambda: None
             ) -> tuple[dict[str, Any], list[Exception]]:
  """Runs the evaluators of the config in order.

  An evaluator that fails does not lose the metrics of the others: the results
  name it under "failed".

  Args:
    run: the parts of the run.
    state: the state on the host.
    workdir: the folder that gets the pictures.
    check: called before a picture is written.

  Returns:
    The results, and the errors of the evaluators that failed.
  """
  key = jax.random.fold_in(step_lib.key(run.config.seed), 2)
  view = evals_base.view(run.system, state.variables, run.dataset, key)
  fingerprint = run.dataset.provenance['fingerprint']
  metrics, pictures, failed = [], [], {}
  for name, options in run.config.evals.items():
    options = {k: v for k, v in options.items() if k != 'run'}
    try:
      for found in evals.EVALS[name].run(view, **options):
        if isinstance(found, evals_base.Metric):
          metrics.append(
              {**found._asdict(), 'data': fingerprint['sha256'][:12]})
        else:
          path = f'images/{found.name}.png'  # Relative: a run may move.
          check()
          files.save_image(workdir / path, found.image)
          pictures.append(path)
    except (errors.Busy, errors.Stopped, OSError):
      raise  # The others would fail, too.
    except Exception as e:
      failed[name] = e
  return {
      'evaluated_step': int(state.step),
      'seed': run.config.seed,
      'data': {'name': run.dataset.name, **run.dataset.provenance},
      'code_sha256': code_sha256(),
      'weights_sha256': digests.summary(state.variables),
      'metrics': metrics,
      'pictures': pictures,
      **({'failed': {name: errors.explain(e)[1] for name, e in failed.items()}}
         if failed else {}),
  }, list(failed.values())


def of_data(results: Mapping[str, Any], dataset: data_base.Dataset) -> bool:
  """Whether results are of these data; old results do not tell."""
  new = dataset.provenance['fingerprint']
  return results.get('data', {}).get('fingerprint', new) == new


def again(workdir: Any, config: Any = None, *,
          allow_config_change: bool = False) -> dict[str, Any]:
  """Evaluates the run in a workdir once more and renews its results.json.

  The evaluators, the devices and the folders of the data come from `config`;
  all other options come from the run.  A new metric or picture replaces the old
  one of the same name.  The other old ones stay if weights and data are the
  same.  Other data than those of the run are refused without
  `allow_config_change`; with it the run records the change.
  """
  workdir = storage.path(workdir)
  own = config_lib.restore(folder.read_config(workdir))
  if config is not None:
    config = choice.chosen(config)
    own.evals = config_lib.defaults().evals
    for name, section in own.evals.items():
      section.update({'run': False, **config.evals.get(name, {})})
    own.devices = config.devices
    own.data.update({k: config.data[k] for k in parts.Folders._fields})
  run = build.build(own)
  with lock.hold(workdir) as check:
    return _again(workdir, run, allow_config_change, check)


def _again(workdir: storage.Path, run: build.Run, allow: bool,
           check: lock.Check) -> dict[str, Any]:
  """`again` in a workdir that no other process uses."""
  known = folder.find_identity(workdir)
  changes = resume.check_data(run.dataset, workdir, known, allow)
  old = folder.read_results(workdir) or {}
  where = folder.evaluated(workdir, run.config)
  with checkpoint.Checkpoints(where, own=known) as checkpoints:
    state = checkpoints.restore(build.template(run))
  if state is None:
    raise errors.UserError(f'{where} holds no checkpoint yet; train first')
  new, failures = evaluate(run, state, workdir, check)
  fresh = {m['name'] for m in new['metrics']}
  same = (old.get('weights_sha256') == new['weights_sha256']
          and of_data(old, run.dataset))
  new['metrics'] += [m for m in old.get('metrics', ())
                     if same and m['name'] not in fresh]
  new['pictures'] += [p for p in old.get('pictures', ())
                      if same and p not in new['pictures']]
  old.pop('failed', None)
  results = {'step': int(state.step), 'stopped_early': False, **old, **new,
             **({'run': known.run} if known else {})}
  check()
  resume.note(workdir, int(state.step), changes, evaluation_only=True)
  files.write_json(workdir / 'results.json', results)
  for error in failures:
    raise error
  return results
