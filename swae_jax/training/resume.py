"""Which options may differ when a run goes on from its checkpoint."""
import fnmatch
import json
import time

from swae_jax import errors
from swae_jax.workdir import files

STRUCTURAL = 'structural'  # The state has another form: never.
TRAJECTORY = 'trajectory'  # The run takes another course: if asked for.
LENGTH = 'length'  # The run ends sooner or later, and begins the same.
HARMLESS = 'harmless'  # Nothing that is trained depends on it.

# By option or section; the first pattern that fits counts.  A * stands for any
# names.
CLASSES = {
    'name': HARMLESS,  # Of the workdir.
    'seed': TRAJECTORY,
    'devices': HARMLESS,
    'latents': STRUCTURAL,
    'data.dir': HARMLESS,
    'data.cache_dir': HARMLESS,
    'data.binarize': TRAJECTORY,
    'data': STRUCTURAL,  # Size, channels and classes among them.
    'prior': TRAJECTORY,
    'network': STRUCTURAL,
    'system.name': STRUCTURAL,
    'system.components': STRUCTURAL,
    'system.levels': STRUCTURAL,
    'system.width': STRUCTURAL,
    'system.depth': STRUCTURAL,
    'system': TRAJECTORY,
    'optimizers.*.name': STRUCTURAL,  # Schedules count steps in the state.
    'optimizers': TRAJECTORY,
    'train.batch_size': TRAJECTORY,
    'train.epochs': LENGTH,
    'train.steps': LENGTH,
    'train.log_every': HARMLESS,
    'train.save_every': HARMLESS,
    'train.keep': HARMLESS,
    'train.max_skipped': HARMLESS,
    'train.tensorboard': HARMLESS,
    'train.valid_every': TRAJECTORY,  # These three say which state is kept.
    'train.patience': TRAJECTORY,
    'train.select': TRAJECTORY,
    'evals': HARMLESS,
}


def flat(value, name=''):
  """{a.b: value} of nested dicts."""
  if not isinstance(value, dict):
    return {name: value}
  return {k: v for key, inner in value.items()
          for k, v in flat(inner, f'{name}.{key}'.lstrip('.')).items()}


def compare(old, new):
  """{name: (old, new)} of the options that differ, as JSON knows them."""
  old, new = flat(old), flat(json.loads(json.dumps(new)))
  return {k: (old.get(k), new.get(k)) for k in sorted(old.keys() | new.keys())
          if old.get(k) != new.get(k)}


def kind(option):
  """The class of an option, or None where the table has none for it."""
  for pattern, found in CLASSES.items():
    if fnmatch.fnmatchcase(option, pattern) or (
        option.startswith(f'{pattern}.')):
      return found
  return None


def differing(old, config):
  """{option: (old, new)} where a config computes something else than `old`."""
  return {k: v for k, v in compare(old, config.to_dict()).items()
          if kind(k) != HARMLESS}


def show(changes):
  """The first changes, in words."""
  words = [f'{k}: {old!r} (checkpoint) vs {new!r} (now)'
           for k, (old, new) in changes.items()]
  more = f'; and {len(words) - 5} more' if words[5:] else ''
  return '; '.join(words[:5]) + more


def check(config, workdir, allow=False):
  """{option: (old, new)} of what differs from the run in a workdir.

  Raises UserError where that computes another run, unless it is one that can
  be gone on to and `allow` says so.
  """
  old = files.read_json(workdir / 'config.json')
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


def note(workdir, step, changes):
  """Records that from a step on the run takes another course."""
  changes = {k: v for k, v in changes.items() if kind(k) == TRAJECTORY}
  if not changes:
    return
  files.append(workdir / 'config_changes.jsonl', {
      'step': step, 'time': time.strftime('%Y-%m-%d %H:%M:%S'),
      'changes': changes})
