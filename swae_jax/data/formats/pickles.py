"""Reader of pickles with arrays, which runs no program of a pickle."""
import io
import pickle
from typing import Any

import numpy as np


class _Arrays(pickle.Unpickler):
  """Builds numpy arrays, and refuses all other calls."""

  ALLOWED = {
      **{(f'numpy.{core}.multiarray', '_reconstruct'):
         np.ndarray(0).__reduce__()[0] for core in ('core', '_core')},
      ('numpy', 'ndarray'): np.ndarray,
      # Old pickles give 0 and 1 for False and True; NumPy deprecates this.
      ('numpy', 'dtype'): lambda name, *_: np.dtype(
          name.decode() if isinstance(name, bytes) else name),
  }

  def find_class(self, module: str, name: str) -> Any:
    """The function that a pickle asks for; UnpicklingError if not allowed."""
    if (module, name) not in self.ALLOWED:
      raise pickle.UnpicklingError(f'the pickle asks for {module}.{name}')
    return self.ALLOWED[module, name]


def loads(content: bytes, encoding: str = 'ASCII') -> Any:
  """The arrays, numbers, texts, lists and dicts of a pickle.

  Args:
    content: the bytes of the pickle.
    encoding: encoding of texts from Python 2; 'bytes' returns these texts as
      bytes.

  Raises:
    pickle.UnpicklingError: the pickle asks for any other object.
    Exception: the pickle is damaged; the type is almost any.
  """
  return _Arrays(io.BytesIO(content), encoding=encoding).load()
