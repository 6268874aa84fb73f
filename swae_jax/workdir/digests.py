"""Arrays by name, and digests by which what is loaded is what was saved."""
import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from swae_jax import errors


def named(tree: Any) -> dict[str, Any]:
  """The leaves by name, such as 'variables/params/model/encoder/bias'."""
  import jax  # Takes half a second, and JSON files do not need it.
  flat, _ = jax.tree_util.tree_flatten_with_path(tree)
  return {jax.tree_util.keystr(path, simple=True, separator='/'): leaf
          for path, leaf in flat}


def rebuild(template: Any, arrays: dict[str, np.ndarray], where: Any,
            advice: str = 'use another --workdir') -> Any:
  """The tree of a template, with the arrays of the same names.

  Args:
    template: a tree of arrays or of jax.ShapeDtypeStruct.
    arrays: the arrays by name.
    where: where the arrays come from, for the message.
    advice: what to do about arrays of another tree, for the message.

  Raises:
    errors.UserError: names, shapes or types differ from the template's.
  """
  import jax
  expected = named(template)
  if expected.keys() != arrays.keys():
    odd = min(expected.keys() ^ arrays.keys())
    raise errors.UserError(
        f'{where} is of another system: {odd} is in only one of the two; '
        f'{advice}')
  for name, x in expected.items():
    if arrays[name].shape != x.shape or arrays[name].dtype != x.dtype:
      raise errors.UserError(
          f'{where} is of another system: {name} is {arrays[name].dtype}'
          f'{list(arrays[name].shape)} there, {x.dtype}{list(x.shape)} now; '
          f'{advice}')
  return jax.tree.unflatten(jax.tree.structure(template),
                            [arrays[name] for name in expected])


def digest(x: ArrayLike) -> str:
  """The sha256 of an array's type, shape and bytes."""
  x = np.ascontiguousarray(x)
  head = f'{x.dtype.str}{x.shape}'.encode()
  return hashlib.sha256(head + x.tobytes()).hexdigest()


def of_json(value: Any) -> str:
  """The sha256 of a value as JSON holds it, in any order of its keys."""
  text = json.dumps(json.loads(json.dumps(value)), sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()


def of(tree: Any) -> dict[str, str]:
  """The digest of every leaf, by name."""
  return {name: digest(x) for name, x in named(tree).items()}


def differing(arrays: dict[str, np.ndarray], recorded: dict[str, str]
              ) -> list[str]:
  """The names of arrays, sorted, that differ from the recorded digests."""
  found = of(arrays)
  return [name for name in sorted(recorded.keys() | found.keys())
          if found.get(name) != recorded.get(name)]


def summary(tree: Any) -> str:
  """One digest of a whole tree of host arrays."""
  lines = (f'{name} {d}\n' for name, d in sorted(of(tree).items()))
  return hashlib.sha256(''.join(lines).encode()).hexdigest()
