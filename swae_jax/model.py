"""Trained systems in use: numpy in, numpy out, on any device.

  model = swae_jax.load('runs/digits-swae')
  z = model.encode(images)
  x = model.decode(z)

A model does not need the training data.
"""
from collections.abc import Mapping
import functools
import os
from typing import Any

import jax
from jax.typing import ArrayLike
import numpy as np

from swae_jax import errors
from swae_jax.evals import base as evals_base
from swae_jax.evals import interpolation
from swae_jax.host import mesh
from swae_jax.training import saved
from swae_jax.training import step as step_lib
from swae_jax.workdir import storage

BATCH_SIZE = 64


class Model:
  """A trained system.

  Images are uint8 or floats.  Floats must lie in [0, 1] if the training images
  did.  Decoded images are float32.  All calls take any number of rows and
  compute `batch_size` rows at a time; a row does not depend on the others.
  """

  def __init__(self, held: saved.Saved, batch_size: int = BATCH_SIZE):
    if batch_size < 1:
      raise errors.UserError(f'batch_size={batch_size}: it must be at least 1')
    self.saved = held
    self.shape = tuple(held.about['input']['shape'])  # [H, W, C]
    self._view = functools.partial(
        evals_base.view, held.system, jax.device_put(held.variables),
        None, batch_size=batch_size)
    self._eval = self._view(jax.random.key(0))

  def __reduce__(self) -> tuple:
    # The functions of a system are closures, which pickle refuses.
    return _again, (self.saved.about, jax.device_get(self.saved.variables),
                    self._view.keywords['batch_size'])

  def __repr__(self) -> str:
    about = self.saved.about
    shape = 'x'.join(map(str, self.shape))
    return (f'<{about["config"]["name"]}, step {about["step"]}: {shape} -> '
            f'{self.width}>')

  @functools.cached_property
  def width(self) -> int:
    """The dimension of a code; two levels stand one after the other."""
    x = jax.ShapeDtypeStruct((1, *self.shape), np.float32)
    return jax.eval_shape(
        self.saved.system.encode, self.saved.variables, x).shape[1]

  @property
  def memory(self) -> int | None:
    """The bytes of memory of a device, or None if they are not known."""
    return mesh.memory(mesh.make(1))

  def encode(self, images: ArrayLike) -> np.ndarray:
    """Images [N, H, W, C] -> mean codes [N, D]."""
    return self._eval.encode(checked_images(images, self.saved.about['input']))

  def decode(self, codes: ArrayLike) -> np.ndarray:
    """Codes [N, D] -> images [N, H, W, C]."""
    return self._eval.decode(checked_codes(codes, self.width))

  def reconstruct(self, images: ArrayLike) -> np.ndarray:
    """Images [N, H, W, C] -> images decoded from their codes [N, H, W, C]."""
    return self.decode(self.encode(images))

  def prior(self, n: int, seed: int = 0) -> np.ndarray:
    """Codes [n, D] drawn from the prior; a smaller n gives the first ones."""
    if n < 0:
      raise errors.UserError(f'n={n}: it must not be negative')
    if not 0 <= seed < 2**64:
      raise errors.UserError(f'seed={seed}: it must be at least 0 and below '
                             '2^64')
    return self._view(step_lib.key(seed)).sample(n)

  def sample(self, n: int, seed: int = 0) -> np.ndarray:
    """Images [n, H, W, C] decoded from codes that are drawn from the prior."""
    return self.decode(self.prior(n, seed))

  def interpolate(self, a: ArrayLike, b: ArrayLike,
                  steps: int) -> np.ndarray:
    """Images on straight lines between codes.

    a and b [N, H, W, C] -> [N, steps, H, W, C]; the first and the last are the
    reconstructions of a and b.
    """
    if steps < 2:
      raise errors.UserError(
          f'steps={steps}: steps includes both ends and must be at least 2')
    first, last = self.encode(a), self.encode(b)
    if len(first) != len(last):
      raise errors.UserError(
          f'a and b must have the same number of images, found '
          f'{len(first)} and {len(last)}')
    z = interpolation.interpolate(first, last, steps)
    x = self.decode(z.reshape(-1, self.width))
    return x.reshape(len(first), steps, *self.shape)

  # The names of scikit-learn: a trained system can be a step of a pipeline.

  def fit(self, x: Any = None, y: Any = None) -> 'Model':
    """Returns self: the system is trained already, and does not change."""
    del x, y
    return self

  def transform(self, x: ArrayLike) -> np.ndarray:
    """Images, or rows of their pixels [N, H W C] -> mean codes [N, D]."""
    x = np.asarray(x)
    flat = x.ndim == 2 and x.shape[1] == np.prod(self.shape)
    return self.encode(x.reshape(-1, *self.shape) if flat else x)

  def inverse_transform(self, z: ArrayLike) -> np.ndarray:
    """Codes [N, D] -> rows of pixels [N, H W C]."""
    x = self.decode(z)
    return x.reshape(len(x), -1)

  def __sklearn_is_fitted__(self) -> bool:
    return True

  def __sklearn_clone__(self) -> 'Model':
    return self


def _again(about: dict[str, Any], variables: Any, batch_size: int) -> Model:
  """The Model that was pickled."""
  made, _ = saved.system(about)
  return Model(saved.Saved(about, made, variables), batch_size)


def checked_images(x: ArrayLike, about: Mapping[str, Any]) -> np.ndarray:
  """Images that evaluators take; raises UserError for all others."""
  x, shape = np.asarray(x), about['shape']
  if list(x.shape[1:]) != shape:
    raise errors.UserError(
        f'images must be [N, {", ".join(map(str, shape))}], found '
        f'{list(x.shape)}')
  if x.dtype == np.uint8 and about['bounded']:
    return x
  if x.dtype.kind != 'f':
    kinds = 'uint8 (0 to 255) or floats' if about['bounded'] else 'floats'
    raise errors.UserError(f'images must be {kinds}, found {x.dtype}')
  x = x.astype(np.float32)
  if not np.isfinite(x).all():
    raise errors.UserError('images must be finite, found NaN or infinity')
  if about['bounded'] and x.size and (x.min() < 0 or x.max() > 1):
    raise errors.UserError(
        'images of floats must lie in [0, 1], found '
        f'{x.min():g} to {x.max():g}; scale them, or give uint8')
  return x


def checked_codes(z: ArrayLike, width: int) -> np.ndarray:
  """Codes as float32 [N, width]; raises UserError if they do not fit."""
  z = np.asarray(z)
  if z.ndim != 2 or z.shape[1] != width or z.dtype.kind not in 'fiu':
    raise errors.UserError(f'codes must be numbers [N, {width}], found '
                           f'{z.dtype} {list(z.shape)}')
  z = z.astype(np.float32)
  if not np.isfinite(z).all():
    raise errors.UserError('codes must be finite, found NaN or infinity')
  return z


def load(path: str | os.PathLike, batch_size: int = BATCH_SIZE) -> Model:
  """The Model of a run's workdir, or of a file that `swae export` wrote.

  For a workdir the Model has the state that the run evaluates: the last state,
  or the best one.
  """
  where = storage.path(path)
  if not where.exists():
    raise errors.MissingData(f'{where}: there is no such workdir or file')
  mesh.devices()  # JAX may have none.
  read = saved.of_workdir if where.is_dir() else saved.of_file
  return Model(read(where), batch_size)
