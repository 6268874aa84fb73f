"""Reader of pickles that hold arrays: a pickle is a program, none is run."""
import io
import pickle
from typing import Any

import numpy as np


class _Arrays(pickle.Unpickler):
  """Builds numpy arrays, and refuses to call anything else."""

  ALLOWED = {
      **{(f'numpy.{core}.multiarray', '_reconstruct'):
         np.ndarray(0).__reduce__()[0] for core in ('core', '_core')},
      ('numpy', 'ndarray'): np.ndarray,
      # Old pickles give 0 and 1 for False and True, which NumPy deprecates.
      ('numpy', 'dtype'): lambda name, *_: np.dtype(
          name.decode() if isinstance(name, bytes) else name),
  }

  def find_class(self, module: str, name: str) -> Any:
    """The function that a pickle asks for, if it is allowed."""
    if (module, name) not in self.ALLOWED:
      raise pickle.UnpicklingError(f'it asks for {module}.{name}')
    return self.ALLOWED[module, name]


def loads(content: bytes, encoding: str = 'ASCII') -> Any:
  """The arrays, numbers, texts, lists and dicts of a pickle.

  Args:
    content: the bytes of the pickle.
    encoding: of the texts that Python 2 has written; 'bytes' leaves them.

  Raises:
    pickle.UnpicklingError: the pickle asks for anything else.
    Exception: of almost any type, where the pickle is damaged.
  """
  return _Arrays(io.BytesIO(content), encoding=encoding).load()
