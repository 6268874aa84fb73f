"""FID, KID, precision, recall and MIND, in the features of Inception.

What a score means depends on the resize to 299 pixels and on the scale that
belongs to it, on the layer and on the number of samples: all are said with it.
"""
import functools
import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from swae_jax import errors
from swae_jax.evals import comparisons, features
from swae_jax.evals.inception import network
from swae_jax.evals.inception import weights as weights_files

# By the resize: half-pixel centres? antialiased? (mean, scale) of the pixels.
RESIZES = {
    # TensorFlow 1, of the first FID: pixels lie at whole numbers.
    'legacy': (False, False, (128., 128.)),
    # pytorch-fid.
    'bilinear': (True, False, (127.5, 127.5)),
    'antialias': (True, True, (128., 128.)),
}
PROTOCOLS = ('standard', 'swae_paper')


def run(view, *, dims=2048, weights='', protocol='standard', samples=10000,
        of='samples', metrics=('fid', 'kid', 'prdc', 'mind'), resize='legacy',
        batch_size=50, cache_dir=''):
  """Metrics such as fid2048_10k, and with each its floor, of real images.

  `dims` is 64, 192, 768 or 1280 of an inner layer, or 2048.  `protocol` is
  'standard', with `samples` images a side if there are as many, or 'swae_paper'
  (see evals/features.py).  Features of real images are kept in `cache_dir`.
  `weights` is their file; else it lies in the folder `inception` beside that of
  the data set, or in that of the environment variable SWAE_JAX_DATA.
  """
  if protocol not in PROTOCOLS:
    raise errors.UserError(f'protocol: must be one of {", ".join(PROTOCOLS)}, '
                           f'found {protocol!r}')
  images = (features.standard(view, of, samples) if protocol == 'standard'
            else features.swae_paper(view, of))
  extractor = make(_path(view.data, weights), dims, resize, batch_size)
  yield from features.compare(extractor, images, metrics, cache_dir)


def check(data, options):
  """Raises before a run what would else end its evaluation: missing weights."""
  features.check(data)
  make(_path(data, options['weights']), options['dims'], options['resize'],
       options['batch_size'])


def _path(data, weights):
  """The file of the weights."""
  return str(weights or weights_files.find(*_folders(data)))


@functools.lru_cache(maxsize=2)
def make(path, dims, resize, batch_size):
  """The extractor with the weights at `path`; compiled once for all views."""
  if dims not in network.TAPS or resize not in RESIZES:
    raise errors.UserError(
        f'dims must be one of {network.TAPS} and resize one of '
        f'{", ".join(RESIZES)}, found {dims} and {resize!r}')
  variables, sha256 = weights_files.load(path, dims)
  # Arguments, not constants of the program: XLA would try to fold them.
  variables = jax.device_put(variables)
  net = network.Inception((dims,))
  fn = jax.jit(lambda variables, x: net.apply(variables, prepare(x, resize))[0])
  source = {'inception': sha256, 'dims': dims, 'resize': resize}
  return features.Extractor(
      functools.partial(fn, variables), batch_size, _metrics(dims), source,
      f'Inception {sha256[:12]}, resize {resize}')


def prepare(x, resize):
  """Images [B, H, W, 1 or 3], uint8 or in [0, 1] -> [B, 299, 299, 3]."""
  half, antialias, (mean, scale) = RESIZES[resize]
  x = x.astype(jnp.float32) if x.dtype == jnp.uint8 else 255 * x
  rows, columns = (interpolation(n, half, antialias) for n in x.shape[1:3])
  x = jnp.einsum('ih,bhwc->biwc', rows, x, precision='highest')
  x = jnp.einsum('jw,biwc->bijc', columns, x, precision='highest')
  x = (x - mean) / scale
  return jnp.repeat(x, 3, axis=-1) if x.shape[-1] == 1 else x


def interpolation(n, half_pixel, antialias):
  """Weights [299, n] of linear interpolation of n pixels."""
  ratio = n / network.SIZE
  at = (np.arange(network.SIZE) + .5 * half_pixel) * ratio - .5 * half_pixel
  width = max(1., ratio) if antialias else 1.
  weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(n)) / width)
  # Beyond the border only the last pixel has weight: it is repeated.
  return np.float32(weights / weights.sum(1, keepdims=True))


def _metrics(dims):
  prdc = {name: f'{name}{dims}'
          for name in ('precision', 'recall', 'density', 'coverage')}
  return {'fid': (comparisons.frechet, {'frechet': f'fid{dims}'}),
          'kid': (comparisons.kernel, {'kernel': f'kid{dims}'}),
          'prdc': (comparisons.manifold, prdc),
          'mind': (comparisons.sliced, {'sliced': f'mind{dims}'})}


def _folders(data):
  """Folders in which the weights may lie: those around the data, and one."""
  paths = [pathlib.Path(file['path']) for file in
           data.provenance.get('files', {}).values() if 'path' in file]
  around = {str(parent): None for path in paths for parent in
            (path.parent.parent, path.parent)}
  named = os.environ.get('SWAE_JAX_DATA')
  return [*around, *([named] if named else [])]
