"""Idx files of a few images, in place of those of MNIST."""
import hashlib
import struct

import numpy as np

from swae_jax.data import mnist


def arrays(train, test, seed=0):
  """Images uint8 [n, 28, 28] and labels uint8 [n] of both files."""
  rng = np.random.default_rng(seed)
  return [(rng.integers(256, size=(n, 28, 28), dtype=np.uint8),
           rng.integers(10, size=n, dtype=np.uint8)) for n in (train, test)]


def install(monkeypatch, pairs, valid, name='mnist'):
  """Expects these arrays in place of a set; {name of a file: content}."""
  contents = []
  for x, y in pairs:
    contents += [struct.pack('>HBBIII', 0, 8, 3, *x.shape) + x.tobytes(),
                 struct.pack('>HBBI', 0, 8, 1, len(y)) + y.tobytes()]
  out = dict(zip(mnist.FILES[name], contents, strict=True))
  monkeypatch.setattr(mnist, 'VALID', valid)
  monkeypatch.setitem(mnist.FILES, name, {
      file: (len(content), hashlib.sha256(content).hexdigest())
      for file, content in out.items()})
  return out
