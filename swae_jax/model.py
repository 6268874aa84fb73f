"""Trained systems in use: numpy in, numpy out, on any device.

  model = swae_jax.load('runs/digits-swae')
  z = model.encode(images)
  x = model.decode(z)

A model does not need the training data.
"""
import functools
import hashlib
import json
from typing import Any, NamedTuple

import jax
import numpy as np

from swae_jax import errors
from swae_jax.evals import base as evals_base
from swae_jax.evals import interpolation
from swae_jax.systems import base
from swae_jax.training import build, choice
from swae_jax.workdir import checkpoint, digests, files, folder, storage

BATCH_SIZE = 64


class Model:
  """A trained system.

  Images are uint8 or floats.  Floats must lie in [0, 1] if the training images
  did.  Decoded images are float32.  All calls take any number of rows and
  compute `batch_size` rows at a time; a row does not depend on the others.
  """

  def __init__(self, held, batch_size=BATCH_SIZE):
    if batch_size < 1:
      raise errors.UserError(f'batch_size={batch_size}: it must be at least 1')
    self.saved = held
    self.shape = tuple(held.about['input']['shape'])  # [H, W, C]
    self._view = functools.partial(
        evals_base.view, held.system, jax.device_put(held.variables),
        None, batch_size=batch_size)
    self._eval = self._view(jax.random.key(0))

  def __repr__(self):
    about = self.saved.about
    shape = 'x'.join(map(str, self.shape))
    return (f'<{about["config"]["name"]}, step {about["step"]}: {shape} -> '
            f'{self.width}>')

  @functools.cached_property
  def width(self):
    """The dimension of a code; two levels stand one after the other."""
    x = jax.ShapeDtypeStruct((1, *self.shape), np.float32)
    return jax.eval_shape(
        self.saved.system.encode, self.saved.variables, x).shape[1]

  def encode(self, images):
    """Images [N, H, W, C] -> mean codes [N, D]."""
    return self._eval.encode(checked_images(images, self.saved.about['input']))

  def decode(self, codes):
    """Codes [N, D] -> images [N, H, W, C]."""
    return self._eval.decode(checked_codes(codes, self.width))

  def reconstruct(self, images):
    """Images [N, H, W, C] -> images decoded from their codes [N, H, W, C]."""
    return self.decode(self.encode(images))

  def prior(self, n, seed=0):
    """Codes [n, D] drawn from the prior; a smaller n gives the first ones."""
    if n < 0:
      raise errors.UserError(f'n={n}: it must not be negative')
    return self._view(jax.random.key(seed)).sample(n)

  def sample(self, n, seed=0):
    """Images [n, H, W, C] decoded from codes that are drawn from the prior."""
    return self.decode(self.prior(n, seed))

  def interpolate(self, a, b, steps):
    """Images on straight lines between codes.

    a and b [N, H, W, C] -> [N, steps, H, W, C]; the first and the last are the
    reconstructions of a and b.
    """
    if steps < 2:
      raise errors.UserError(
          f'steps={steps}: steps includes both ends and must be at least 2')
    a, b = self.encode(a), self.encode(b)
    if len(a) != len(b):
      raise errors.UserError(
          f'a and b must have the same number of images, found {len(a)} and '
          f'{len(b)}')
    z = interpolation.interpolate(a, b, steps)
    x = self.decode(z.reshape(-1, self.width))
    return x.reshape(len(a), steps, *self.shape)

  # The names of scikit-learn: a trained system can be a step of a pipeline.

  def fit(self, x=None, y=None):
    """Returns self: the system is trained already, and does not change."""
    del x, y
    return self

  def transform(self, x):
    """Images, or rows of their pixels [N, H W C] -> mean codes [N, D]."""
    x = np.asarray(x)
    flat = x.ndim == 2 and x.shape[1] == np.prod(self.shape)
    return self.encode(x.reshape(-1, *self.shape) if flat else x)

  def inverse_transform(self, z):
    """Codes [N, D] -> rows of pixels [N, H W C]."""
    return self.decode(z).reshape(len(z), -1)

  def __sklearn_is_fitted__(self):
    return True

  def __sklearn_clone__(self):
    return self


def checked_images(x, about):
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


def checked_codes(z, width):
  """Codes as float32 [N, width]; raises UserError if they do not fit."""
  z = np.asarray(z)
  if z.ndim != 2 or z.shape[1] != width or z.dtype.kind not in 'fiu':
    raise errors.UserError(f'codes must be numbers [N, {width}], found '
                           f'{z.dtype} {list(z.shape)}')
  z = z.astype(np.float32)
  if not np.isfinite(z).all():
    raise errors.UserError('codes must be finite, found NaN or infinity')
  return z


def load(path, batch_size=BATCH_SIZE):
  """The Model of a run's workdir, or of a file that `swae export` wrote.

  From a workdir it takes the state that the run evaluates: the last state, or
  the best one.
  """
  path = storage.path(path).expanduser()
  if not path.exists():
    raise errors.MissingData(f'{path}: there is no such workdir or file')
  read = of_workdir if path.is_dir() else of_file
  return Model(read(path), batch_size)


class Saved(NamedTuple):
  """A trained system, read from a workdir or a file."""
  about: dict  # config; input, as of evaluation.inputs; epoch; step
  system: base.System
  variables: base.Variables  # On the host.


def of_workdir(workdir):
  """The Saved of a run."""
  config = folder.read_config(workdir)
  run = files.read_json(workdir / 'run.json') or {}
  if 'input' not in run:
    raise errors.UserError(
        f"{workdir}: run.json has no 'input', the shape and range of the "
        'images; train the run once more')
  where = folder.evaluated(workdir, config)
  about = {'config': config.to_dict(), 'input': run['input'],
           'steps_per_epoch': run['steps_per_epoch']}
  made, like = system(about)
  with checkpoint.Checkpoints(where) as checkpoints:
    step = max(checkpoints.steps(), default=None)
    if step is None:
      raise errors.UserError(f'{where} holds no checkpoint yet; train first')
    try:
      arrays = checkpoints.read(step, ('variables',))
    except errors.DamagedData as e:
      raise errors.DamagedData(f'{where}: {e}') from e
  variables = digests.rebuild({'variables': like}, arrays, where / str(step),
                              'use the version of swae_jax that trained it')
  return Saved({**about, 'step': step}, made, variables['variables'])


def of_file(path):
  """The Saved of a .safetensors file that `swae export` wrote."""
  try:
    import safetensors
  except ImportError:
    raise errors.UserError(
        f'{path}: reading it needs safetensors: pip install safetensors'
        ) from None
  try:
    with safetensors.safe_open(path, framework='numpy') as file:
      head = file.metadata() or {}
      arrays = {name: file.get_tensor(name) for name in file.keys()}
  except (safetensors.SafetensorError, OSError) as e:
    raise errors.DamagedData(
        f'{path}: no safetensors file, or an incomplete one ({e})') from e
  if 'swae_jax' not in head:
    raise errors.UserError(f'{path} was not written by swae export')
  if head.get('sha256') != seal(head['swae_jax'], arrays):
    raise errors.DamagedData(
        f'{path} is damaged: its digest differs; copy or export it again')
  about = json.loads(head['swae_jax'])
  made, like = system(about)
  return Saved(about, made, digests.rebuild(
      like, arrays, path, 'use the version of swae_jax that exported it'))


def seal(text, variables):
  """One digest of the whole content of a file."""
  content = f'{text}\n{digests.summary(variables)}'
  return hashlib.sha256(content.encode()).hexdigest()


def system(about: dict[str, Any]) -> tuple[base.System, base.Variables]:
  """The system, and its variables as shapes alone."""
  given = about['input']
  spec = base.Spec(tuple(given['shape']), given['bounded'], given['binarize'],
                   about['steps_per_epoch'])
  made = build.system(choice.chosen(about['config']), spec)
  x = jax.ShapeDtypeStruct((made.examples, *spec.shape), np.float32)
  return made, jax.eval_shape(made.init, jax.random.key(0), x)
