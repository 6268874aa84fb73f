"""Which options may differ when a run goes on from its checkpoint."""
from collections.abc import Mapping
import fnmatch
import json
import re
import time
from typing import Any

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.training import config as config_lib
from swae_jax.workdir import digests, files, folder, identity

Changes = dict[str, tuple[Any, Any]]  # {option: (old, new)}

STRUCTURAL = 'structural'  # The state has another form; never allowed.
TRAJECTORY = 'trajectory'  # Training differs; allowed on request.
LENGTH = 'length'  # The run only ends sooner or later.
HARMLESS = 'harmless'  # Training does not depend on the option.

# {pattern of an option or section: class}; the first pattern that fits counts,
# and * stands for any names.  If an option of a system changes the form of the
# parameters, the reader of the checkpoint finds the change.
CLASSES = {
    'name': HARMLESS,  # of the workdir
    'seed': TRAJECTORY,
    'devices': HARMLESS,
    'latents': STRUCTURAL,
    'fit': TRAJECTORY,
    'data.dir': HARMLESS,
    'data.cache_dir': HARMLESS,
    'data.*.binarize': TRAJECTORY,
    'data': STRUCTURAL,  # size, channels and classes among them
    'prior': TRAJECTORY,
    'network': STRUCTURAL,
    'system.name': STRUCTURAL,
    'system': TRAJECTORY,
    'penalty': TRAJECTORY,
    'optimizers.*.name': STRUCTURAL,  # schedules count steps in the state
    'optimizers': TRAJECTORY,
    'train.batch_size': TRAJECTORY,
    'train.epochs': LENGTH,
    'train.steps': LENGTH,
    'train.log_every': HARMLESS,
    'train.save_every': HARMLESS,
    'train.max_to_keep': HARMLESS,
    'train.max_skipped': HARMLESS,
    'train.tensorboard': HARMLESS,
    'train.valid_every': TRAJECTORY,  # these three choose the kept state
    'train.patience': TRAJECTORY,
    'train.select': TRAJECTORY,
    'evals': HARMLESS,
    # These are no options: what the data are, and whether there is a config.
    'fingerprint': TRAJECTORY,
    'config.json': TRAJECTORY,
}


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
  """{option: (old, new)} of the options that differ, as values of JSON.

  A general option that a former version lacked has its default.
  """
  new = config_lib.flat(json.loads(json.dumps(new)))
  general = config_lib.General._field_defaults
  old = {**{k: v for k, v in general.items() if k in new},
         **config_lib.flat(dict(old))}
  return {k: (old.get(k), new.get(k)) for k in sorted(old.keys() | new.keys())
          if old.get(k) != new.get(k)}


def kind(option: str) -> str | None:
  """The class of an option, or None if no pattern of CLASSES fits."""
  for pattern, found in CLASSES.items():
    if fnmatch.fnmatchcase(option, pattern) or (
        option.startswith(f'{pattern}.')):
      return found
  return None


def differing(old: Mapping[str, Any], config: Any) -> Changes:
  """The options that make a config compute another result than `old`."""
  return {k: v for k, v in compare(old, config.to_dict()).items()
          if kind(k) != HARMLESS}


def show(changes: Changes) -> str:
  """The first five changes, in words."""
  words = [f'{k}: {_short(old)} (checkpoint) vs {_short(new)} (now)'
           for k, (old, new) in changes.items()]
  more = f'; and {len(words) - 5} more' if words[5:] else ''
  return '; '.join(words[:5]) + more


def _short(value: Any) -> str:
  return f'{value:.12}...' if re.fullmatch('[0-9a-f]{64}', str(value)) else (
      repr(value))


def check(config: Any, workdir: Any, allow: bool = False) -> Changes:
  """The options that differ from those of the run in a workdir.

  Raises:
    errors.UserError: the options describe another run, and the other run cannot
      go on from the checkpoint, or `allow` is False.
    errors.DamagedData: config.json is damaged, missing or of another run, and
      `allow` is False.
  """
  try:
    old = folder.find_config(workdir)
  except errors.DamagedData as e:
    if not allow:
      raise
    return {'config.json': (str(e), 'the options of the command')}
  changes = compare(old, config.to_dict()) if old else {}
  by_kind = {which: {k: v for k, v in changes.items() if kind(k) == which}
             for which in (STRUCTURAL, TRAJECTORY, None)}
  structural = by_kind[STRUCTURAL] | by_kind[None]
  if structural:
    raise errors.UserError(
        f'{workdir} holds another run: {show(structural)}; use another '
        '--workdir, or the same options')
  if by_kind[TRAJECTORY] and not allow:
    raise errors.UserError(
        f'{workdir} holds another run: {show(by_kind[TRAJECTORY])}; use another'
        ' --workdir, or the same options, or go on with the new ones by '
        '--allow_config_change')
  return changes


def check_data(dataset: data_base.Dataset, workdir: Any,
               own: identity.Identity | None, allow: bool = False,
               ) -> Changes:
  """How the data differ from those of the run in a workdir.

  Args:
    dataset: the data, with their fingerprint in the provenance.
    workdir: the folder of the run.
    own: the Identity of the run; None for a new or an old run.
    allow: whether other data are welcome.

  Raises:
    errors.UserError: the data differ, and `allow` is False.
  """
  new = dataset.provenance['fingerprint']
  if own is None or digests.of_json(new) == own.data[-1]:
    return {}
  about = files.read_json(workdir / 'run.json')
  changes = compare({'fingerprint': about['data']['fingerprint']},
                    {'fingerprint': new}) if about else {
      'fingerprint.digest': (own.data[-1], digests.of_json(new))}
  if not allow:
    words = show({k.partition('.')[2]: v for k, v in changes.items()})
    raise errors.UserError(
        f'{workdir} is a run on other data: {words}; give the data of the run '
        'by --config.data.dir, or another --workdir, or go on with the new '
        'data by --allow_config_change')
  return changes


def note(workdir: Any, step: int, changes: Changes,
         evaluation_only: bool = False) -> None:
  """Records the changes that alter training, or results, from this step on."""
  changes = {k: v for k, v in changes.items() if kind(k) == TRAJECTORY}
  if changes:
    files.append(workdir / 'config_changes.jsonl', {
        'step': step, 'time': time.strftime('%Y-%m-%d %H:%M:%S'),
        'evaluation_only': evaluation_only, 'changes': changes})
