"""Digests of arrays: what is loaded is what was saved."""
import hashlib

import jax
import numpy as np


def named(tree):
  """Leaves by name, such as 'variables/params/model/encoder/bias'."""
  flat, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {jax.tree_util.keystr(path, simple=True, separator='/'): leaf
          for path, leaf in flat}


def digest(x):
  """sha256 of an array's type, shape and bytes."""
  x = np.ascontiguousarray(x)
  head = f'{x.dtype.str}{x.shape}'.encode()
  return hashlib.sha256(head + x.tobytes()).hexdigest()


def of(tree):
  """The digest of every leaf, by name."""
  return {name: digest(x) for name, x in named(tree).items()}


def summary(tree):
  """One digest of a whole tree of host arrays."""
  lines = (f'{name} {d}\n' for name, d in sorted(of(tree).items()))
  return hashlib.sha256(''.join(lines).encode()).hexdigest()
