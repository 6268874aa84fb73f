"""Reader of sets that tensorflow-datasets has prepared, without TensorFlow."""
from collections.abc import Sequence
import hashlib
import json
import pathlib
from typing import Any

import numpy as np

from swae_jax import errors
from swae_jax.data.formats import files


def find(name: str, dir: str) -> pathlib.Path | None:
  """The folder of the newest prepared version of a set; None without one."""
  infos = [info for folder in files.folders(name, dir)
           for info in folder.glob('*.*.*/dataset_info.json')
           if info.is_file()]
  if not infos:
    return None
  version = lambda info: [int(n) if n.isdigit() else 0
                          for n in info.parent.name.split('.')]
  return max(infos, key=version).parent


def splits(folder: pathlib.Path,
           *names: str) -> list[Sequence[dict[str, np.ndarray]]]:
  """For each split, the sequence of its examples, {feature: array}."""
  info = folder / 'dataset_info.json'
  try:
    form = json.loads(info.read_text()).get('fileFormat', 'tfrecord')
  except (OSError, ValueError, AttributeError, RecursionError) as e:
    raise errors.DamagedData(f'{info}: no JSON ({e}): prepare the set '
                             'again') from e
  if form != 'array_record':
    raise errors.UserError(
        f'{folder}: the set has the form {form}, which only TensorFlow reads: '
        'prepare the set with tfds build --file_format=array_record')
  try:
    import tensorflow_datasets as tfds  # An optional package, slow to import.
  except ImportError as e:
    raise errors.UserError(
        f'{folder}: the set needs tensorflow-datasets ({e}): pip install '
        'tensorflow-datasets array_record importlib_resources') from e
  builder: Any = tfds.builder_from_directory(str(folder))
  return builder.as_data_source(split=list(names))


def original_order(split: str, size: int) -> np.ndarray:
  """Indices [size] that undo the shuffling of a split with keys 0, 1, ...

  tensorflow-datasets stores examples in the order of md5(split + key);
  examples[indices] are in the order of the keys.
  """
  hashes = [hashlib.md5(f'{split}{i}'.encode()).digest() for i in range(size)]
  stored = sorted(range(size), key=hashes.__getitem__)
  return np.argsort(stored)
