"""Which run the files of a workdir are of.

A run has an id, made at its start.  run.json has this id, and the digests of
every config and every data set that the run has had, the present ones last.
Each checkpoint has a stamp, which names the run, the config and the data that
the checkpoint comes from; results.json names its run.  So a file of another run
in the workdir is seen.  Files of version 0.1.0 name no run, and are taken.
"""
from collections.abc import Mapping
from typing import Any, NamedTuple
import uuid

from swae_jax import errors
from swae_jax.workdir import digests, files, storage


class Foreign(errors.DamagedData):
  """A whole file, but of another run; exit code 65."""


class Identity(NamedTuple):
  """The names of a run."""
  run: str  # the id
  configs: list[str]
  data: list[str]

  def stamp(self) -> dict[str, str]:
    """The stamp of a checkpoint that is saved now."""
    return {'run': self.run, 'config': self.configs[-1], 'data': self.data[-1]}

  def check(self, path: storage.Path, stamp: Mapping[str, str]) -> None:
    """Raises Foreign if the stamp at a path is not one of this run."""
    own = {'run': [self.run], 'config': self.configs, 'data': self.data}
    for name, known in own.items():
      if stamp.get(name, known[-1]) not in known:
        raise Foreign(
            f'{path} is of another run: {name} {str(stamp[name])[:12]} there, '
            f'{known[-1][:12]} in run.json; move away what does not belong '
            'here')


def read(workdir: storage.Path) -> Identity | None:
  """The Identity in run.json, or None."""
  found = (read_about(workdir) or {}).get('identity')
  return Identity(**found) if found else None


def read_about(workdir: storage.Path) -> dict[str, Any] | None:
  """The content of run.json, or None; raises DamagedData."""
  return files.read_json(workdir / 'run.json', 'input', 'steps_per_epoch')


def renewed(old: Identity | None, config: Mapping[str, Any],
            fingerprint: Mapping[str, Any]) -> Identity:
  """The Identity of a run that starts, or goes on, with a config and data."""
  old = old or Identity(uuid.uuid4().hex, [], [])
  return Identity(old.run, *(
      [*(d for d in known if d != digest), digest] for known, digest in (
          (old.configs, digests.of_json(config)),
          (old.data, digests.of_json(fingerprint)))))
