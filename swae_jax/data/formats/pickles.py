"""Reader of pickles with arrays, which runs no program of a pickle.

Only opcodes for plain values pass, and the only objects that a pickle can make
are the two classes below.  NumPy gets checked numbers and bytes, and nothing
else: its own readers of pickles trust their arguments.
"""
import io
import math
import pickle
import pickletools
import re
from typing import Any

import numpy as np

OPCODES = frozenset('''
    PROTO FRAME STOP MARK POP POP_MARK DUP MEMOIZE GLOBAL STACK_GLOBAL REDUCE
    BUILD PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET NONE NEWTRUE NEWFALSE
    INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT STRING BINSTRING
    SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE SHORT_BINBYTES BINBYTES
    BINBYTES8 EMPTY_LIST APPEND APPENDS LIST EMPTY_DICT SETITEM SETITEMS DICT
    EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3'''.split())
MEMO = 1 << 20  # A large number of a memo alone would take all memory.


# A class with __setstate__ cannot be changed itself: BUILD would call it.
class _Type:
  """A type of numbers, as numpy.dtype is called and built."""

  def __init__(self, name: Any, *_: Any):
    self.name = name.decode() if isinstance(name, bytes) else str(name)
    self.order = '='

  def __setstate__(self, state: Any) -> None:
    order = state[1]
    self.order = order.decode() if isinstance(order, bytes) else str(order)

  def dtype(self) -> np.dtype:
    """The type; ValueError for all but plain numbers."""
    if not re.fullmatch('[biuf][1248]', self.name) or (
        self.order not in ('<', '>', '|', '=')):
      raise ValueError(f'an array of {self.name!r} {self.order!r}')
    return np.dtype(self.order.replace('|', '=') + self.name)


class Array:
  """An array as a pickle holds it; np.asarray makes the array."""

  def __init__(self, *_: Any):
    self._array = np.zeros(0)

  def __setstate__(self, state: Any) -> None:
    _, shape, kind, fortran, content = state
    dtype, shape = kind.dtype(), tuple(map(int, shape))
    if min(shape, default=0) < 0 or not isinstance(content, bytes) or (
        math.prod(shape) * dtype.itemsize != len(content)):
      raise ValueError(f'an array of {dtype} {list(shape)} in {len(content)} '
                       'bytes')
    self._array = np.frombuffer(content, dtype).reshape(
        shape, order='F' if fortran else 'C')

  def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
    return self._array if dtype is None else self._array.astype(dtype)


class _Arrays(pickle.Unpickler):
  """Makes arrays, and refuses all other calls."""

  ALLOWED = {
      **{(f'numpy.{core}.multiarray', '_reconstruct'): Array
         for core in ('core', '_core')},
      ('numpy', 'ndarray'): Array,
      ('numpy', 'dtype'): _Type,
  }

  def find_class(self, module: str, name: str) -> Any:
    """The class that stands for a name; UnpicklingError if not allowed."""
    if (module, name) not in self.ALLOWED:
      raise pickle.UnpicklingError(f'the pickle asks for {module}.{name}')
    return self.ALLOWED[module, name]


def loads(content: bytes, encoding: str = 'ASCII') -> Any:
  """The arrays, numbers, texts, lists and dicts of a pickle.

  Arrays come as `Array`.

  Args:
    content: the bytes of the pickle.
    encoding: encoding of texts from Python 2; 'bytes' returns these texts as
      bytes.

  Raises:
    pickle.UnpicklingError: the pickle asks for any other object.
    Exception: the pickle is damaged; the type is almost any.
  """
  for opcode, argument, at in pickletools.genops(content):
    if opcode.name not in OPCODES:
      raise pickle.UnpicklingError(f'the pickle has {opcode.name} at {at}')
    if 'PUT' in opcode.name and int(argument or 0) > MEMO:
      raise pickle.UnpicklingError(f'the pickle numbers objects to {argument}')
  return _Arrays(io.BytesIO(content), encoding=encoding).load()
