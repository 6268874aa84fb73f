"""Pickles of others: arrays come out, and nothing runs."""
import io
import os
import pickle
import struct

import numpy as np
import pytest

from swae_jax.data.formats import pickles


class Calls:
  """Pickles as a call of a function."""

  def __init__(self, function, *arguments):
    self.call = function, arguments

  def __reduce__(self):
    return self.call


@pytest.mark.parametrize('dtype', [
    'u1', '<i4', '>f8', '<f2', 'b1', 'c8', 'O', 'U3', 'V4', 'M8[s]'])
@pytest.mark.parametrize('protocol', range(5))
def test_only_arrays_of_numbers_are_made(dtype, protocol):
  x = np.zeros((2, 3), dtype)
  text = pickle.dumps({'a': [x, np.asfortranarray(x)], 'b': (1, 'c', None)},
                      protocol)
  plain = x.dtype.kind in 'biuf'
  # The first protocols write bytes as a call.
  if plain and protocol > 2:
    found = pickles.loads(text)
    assert found['b'] == (1, 'c', None)
    for y in found['a']:
      y = np.asarray(y)
      np.testing.assert_array_equal(y, x)
      assert y.dtype == x.dtype
  else:
    with pytest.raises((pickle.UnpicklingError, ValueError)):
      pickles.loads(text)


def build(kind, state):
  """Makes one of our classes, and builds it from any state."""
  return (b'\x80\x03' + kind + pickle.dumps(state, 3)[2:-1] + b'b.')


RECONSTRUCT = (b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n'
               b'K\x00\x85C\x01btR')
TYPE = b'cnumpy\ndtype\n(X\x02\x00\x00\x00u1tR'
CLASS = b'cnumpy\nndarray\n'
HOSTILE = {
    'system': pickle.dumps(Calls(os.system, 'false')),
    'eval': pickle.dumps(Calls(eval, '1')),
    'getattr': pickle.dumps(Calls(getattr, 'a', 'upper')),
    'an old instance': b'(S"false"\nios\nsystem\n.',
    'a new instance': b'\x80\x02cnumpy\nndarray\n)\x81.',
    'an object': b'(cnumpy\nndarray\no.',
    'an extension': b'\x82\x01.',
    'a persistent object': b'Px\n.',
    'a dotted name': b'\x80\x04\x8c\x05numpy\x8c\x0fndarray.__new__\x93.',
    'a class that is changed': build(CLASS, (None, {'__array__': 1})),
    'a huge array': build(RECONSTRUCT, (1, (1 << 40,), 'u1', False, b'')),
    'a wrong size': b'\x80\x03' + RECONSTRUCT + b'(K\x01K\x05\x85' + TYPE
                    + b'\x89C\x02abtb.',
    'a negative size': b'\x80\x03' + RECONSTRUCT
                       + b'(K\x01J\xff\xff\xff\xffK\x00\x86' + TYPE
                       + b'\x89C\x00tb.',
    'no state': build(RECONSTRUCT, None),
    'a huge number in the memo': b'N' + b'r' + struct.pack('<I', 1 << 31)
                                 + b'.',
    'a huge number as text': b'Np9999999999\n.',
    'a huge text': b'X\xff\xff\xff\x7fab.',
    'huge bytes': b'\x8e' + struct.pack('<Q', 1 << 40) + b'.',
    'a huge bytearray': b'\x96' + struct.pack('<Q', 1 << 40) + b'.',
    'nothing': b'',
    'no end': b'\x80\x03K\x01',
}


@pytest.mark.parametrize('name', HOSTILE)
def test_hostile_pickles_are_refused(name, monkeypatch):
  called = []
  monkeypatch.setattr(os, 'system', called.append)
  found = 'refused'
  try:
    found = pickles.loads(HOSTILE[name])
  except Exception:  # Damage raises almost any type.
    pass
  assert found == 'refused' and not called
  np.asarray(pickles.loads(pickle.dumps(np.arange(3), 3)))  # Still whole.


def test_names_and_types_of_python_2_are_read():
  text = io.BytesIO()
  pickle.Pickler(text, 3).dump(np.arange(4, dtype='<i8'))
  old = text.getvalue().replace(b'numpy._core.', b'numpy.core.')
  assert np.asarray(pickles.loads(old)).tolist() == [0, 1, 2, 3]
