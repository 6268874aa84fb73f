"""Finds the config files that come with the package.

In a checkout they are in configs/, beside the package; an installed package
has a copy of them under sys.prefix.
"""
from collections.abc import Callable
import pathlib
import runpy
import sys

import ml_collections

from swae_jax import errors, options

FOLDERS = (pathlib.Path(__file__).parents[2] / 'configs',
           pathlib.Path(sys.prefix) / 'share' / 'swae_jax' / 'configs')


def find(name: str) -> pathlib.Path:
  """The file of a name, such as 'celeba'; raises UserError."""
  folder = next((f for f in FOLDERS if f.is_dir()), FOLDERS[0])
  path = folder / f'{name}.py'
  if not path.is_file():
    known = [p.stem for p in sorted(folder.glob('*.py'))]
    raise errors.UserError(
        f'--config: there is no config {name!r} in {folder}'
        f'{options.near(name, known)}')
  return path


def get_config(name: str) -> Callable[..., ml_collections.ConfigDict]:
  """The function get_config(setting) of a config file."""
  return runpy.run_path(str(find(name)))['get_config']
