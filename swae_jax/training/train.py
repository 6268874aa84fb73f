"""Trains a run, or goes on training it, and then evaluates the run."""
import contextlib
import pathlib
from typing import Any

import jax
import numpy as np

from swae_jax import errors
from swae_jax.host import console as console_lib
from swae_jax.host import mesh as mesh_lib
from swae_jax.training import build, choice, evaluation, resume
from swae_jax.training import loop as loop_lib
from swae_jax.training import step as step_lib
from swae_jax.workdir import (
    checkpoint,
    digests,
    files,
    folder,
    identity,
    lock,
    storage,
)


def run(config: Any, workdir: Any = '',
        reuse: build.Run | None = None, *, allow_config_change: bool = False,
        restart: bool = False, patience: float = 0.) -> dict[str, Any]:
  """Starts a run or goes on with it, then evaluates; one call for both.

  Args:
    config: the options, as a config file returns them.
    workdir: the folder of the run; '' takes runs/<config.name>.
    reuse: the parts of a run whose config differs at most in its seed; this run
      uses the data and the compiled functions again.
    allow_config_change: goes on even if changed options alter the training.
    restart: moves the old run aside and begins again.
    patience: seconds without a step after which the process ends; 0: never.

  Returns:
    The content of results.json.
  """
  config, workdir, changes = check(
      config, workdir, allow_config_change, restart)
  first = jax.process_index() == 0
  console = console_lib.Console(quiet=not first)
  this = build.again(reuse, config) if reuse else build.build(config)
  own = None if restart else folder.find_identity(workdir)
  changes |= resume.check_data(
      this.dataset, workdir, own, allow_config_change)
  results = None if restart or changes.keys() & {'config.json'} else (
      _finished(this, workdir))
  own = identity.renewed(own, config.to_dict(),
                         this.dataset.provenance['fingerprint'])
  if results:
    console.finished(results, workdir)
    return results
  with contextlib.ExitStack() as stack:
    still_own = lambda: None  # noqa: E731
    if first:
      still_own = stack.enter_context(lock.hold(workdir))
      if restart and (aside := folder.set_aside(workdir)):
        console.line(f'aside     the old run is now in {aside}')
    mesh_lib.wait('locked')
    state, kept = _open(stack, this, workdir, own, console, still_own)
    console.start(this, state, workdir)
    if changes:
      console.line(f'changed   {resume.show(changes)}')
    if first:
      still_own()
      resume.note(workdir, int(state.step), changes)
      # In this order: run.json must know config.json.
      files.write_json(workdir / 'run.json', {
          'identity': own._asdict(), **evaluation.provenance(this, state)})
      files.write_json(workdir / 'config.json', config.to_dict())
    state = loop_lib.loop(this, state, kept, console, patience)
    results = _evaluate(this, state, kept, own, console)
  return results


def check(config: Any, workdir: Any = '', allow_config_change: bool = False,
          restart: bool = False) -> tuple[Any, storage.Path, resume.Changes]:
  """The chosen options, the folder of the run, and the options that change.

  Raises UserError if options or folder cannot be used, before data are read.
  """
  config = choice.chosen(config)
  name = pathlib.PurePath(config.name)
  if not workdir and (not name.parts or name.is_absolute()
                      or '..' in name.parts):
    raise errors.UserError(
        f'--config.name={config.name}: the run has this folder in runs/; give '
        'another name, or a --workdir')
  workdir = storage.path(workdir or f'runs/{config.name}')
  storage.check(workdir, 'workdir')
  checkpoint.check_path(workdir)
  storage.check_plain(workdir)
  mesh_lib.devices()  # JAX may have none.
  return config, workdir, {} if restart else resume.check(
      config, workdir, allow_config_change)


def _finished(this: build.Run, workdir: Any) -> dict[str, Any] | None:
  """The results of a run that has nothing left to do, or None."""
  results = folder.read_results(workdir)
  if results and not results.get('failed') and evaluation.of_data(
      results, this.dataset) and (
      results['step'] == this.steps or results['stopped_early']):
    return results
  return None


def _open(stack: contextlib.ExitStack, this: build.Run, workdir: Any,
          own: identity.Identity, console: Any, check: lock.Check
          ) -> tuple[step_lib.State, folder.Workdir]:
  """The state that the run goes on from, and its opened workdir."""
  template = build.template(this)
  variables = template.variables
  finite = [name for name, _ in step_lib.finite_checks(
      np.float32(0), variables.params, variables.stats)]
  state, kept = folder.open_workdir(
      stack, workdir, template, this.config.train, this.steps, finite,
      console.line, check, own)
  if state is None:
    state = build.init(this)
  if state.step > this.steps:
    raise errors.UserError(
        f'{workdir} is at step {int(state.step)}, and the config ends at '
        f'step {this.steps}; use another --workdir, or train for longer')
  return state, kept


def _evaluate(this: build.Run, state: step_lib.State, kept: folder.Workdir,
              own: identity.Identity, console: Any) -> dict[str, Any]:
  """Evaluates the last or the best state, and writes results.json."""
  results = {'run': own.run,
             'step': int(state.step),
             'stopped_early': int(state.step) < this.steps,
             'state_sha256': digests.summary(state)}
  if jax.process_index() == 0:
    if this.config.train.select == 'best':
      state = kept.best.restore(state) or state  # None: not validated yet
    found, failures = evaluation.evaluate(
        this, state, kept.folder, kept.check)
    results |= found
    kept.check()
    files.write_json(kept.folder / 'results.json', results)
    console.results(results)
    for error in failures:
      raise error
  mesh_lib.wait('evaluated')
  return results
