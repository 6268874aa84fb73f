"""FID, KID, precision, recall and MIND, in the features of Inception.

A score depends on the resize to 299 pixels, the scale of the pixels, the layer
and the number of samples.  The name or the protocol of a metric gives each.
"""
from collections.abc import Iterator, Mapping
import functools
import os
import pathlib
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from swae_jax import options
from swae_jax.data import base as data_base
from swae_jax.evals import base, comparisons, features
from swae_jax.evals.inception import network
from swae_jax.evals.inception import weights as weights_files


class Resize(NamedTuple):
  """How images become 299 pixels wide and high, by linear interpolation.

  Attributes:
    half_pixel: whether the centre of pixel i lies at i + 1/2; otherwise the
      centre lies at i.
    antialias: whether a smaller image averages over the pixels of a larger one.
    mean: the number subtracted from the pixels, which lie in 0..255.
    scale: the number that divides the result.
  """
  half_pixel: bool
  antialias: bool
  mean: float
  scale: float


RESIZES = {
    # The first FID, in TensorFlow 1.
    'legacy': Resize(False, False, 128., 128.),
    # pytorch-fid.
    'bilinear': Resize(True, False, 127.5, 127.5),
    'antialias': Resize(True, True, 128., 128.),
}


def run(view: base.View, *,
        dims: Literal[64, 192, 768, 1280, 2048] = 2048,
        weights: str = '',
        protocol: Literal['standard', 'swae_paper'] = 'standard',
        samples: Annotated[int, options.Range(2)] = 10000,
        of: features.Of = 'samples',
        metrics: tuple[Literal['fid', 'kid', 'prdc', 'mind'], ...] = (
            'fid', 'kid', 'prdc', 'mind'),
        resize: Literal['legacy', 'bilinear', 'antialias'] = 'legacy',
        batch_size: options.Count = 50,
        cache_dir: str = '') -> Iterator[base.Metric]:
  """Metrics such as fid2048_10k, each with its floor.

  `dims` chooses the features: 2048 of the last layer, or fewer of an earlier
  layer.  `protocol` chooses the images: features.standard takes `samples`
  images a side, or as many as there are; features.swae_paper takes fixed
  numbers of images.  `weights` is the file of the network's weights.  Without
  `weights`, the evaluator looks for the file in a folder `inception` beside the
  folder of the data set, and in the folder that the environment variable
  SWAE_JAX_DATA names.  The folder `cache_dir` keeps the features of real
  images.
  """
  images = (features.standard(view, of, samples) if protocol == 'standard'
            else features.swae_paper(view, of))
  extractor = make(_path(view.data, weights), dims, resize, batch_size)
  yield from features.compare(extractor, images, metrics, cache_dir)


def check(dataset: data_base.Dataset, chosen: Mapping[str, Any]) -> None:
  """Refuses data that are not images, too few images, and missing weights."""
  features.check(dataset, 'fid', chosen)
  make(_path(dataset, chosen['weights']), chosen['dims'], chosen['resize'],
       chosen['batch_size'])


def _path(data, weights):
  """The file of the weights."""
  return str(weights or weights_files.find(*_folders(data)))


@functools.lru_cache(maxsize=2)
def make(path: str, dims: int, resize: str,
         batch_size: int) -> features.Extractor:
  """The extractor with the weights at `path`; compiled once for all views."""
  variables, sha256 = weights_files.load(path, dims)
  # The variables are arguments, since XLA would try to fold constants.
  variables = jax.device_put(variables)
  net = network.Inception((dims,))
  fn = jax.jit(lambda variables, x: net.apply(variables, prepare(x, resize))[0])
  source = {'inception': sha256, 'dims': dims, 'resize': resize}
  return features.Extractor(
      functools.partial(fn, variables), batch_size, _metrics(dims), source,
      f'Inception {sha256[:12]}, resize {resize}')


def prepare(x: jax.Array, resize: str) -> jax.Array:
  """Images [B, H, W, 1 or 3], uint8 or in [0, 1] -> [B, 299, 299, 3]."""
  how = RESIZES[resize]
  x = x.astype(jnp.float32) if x.dtype == jnp.uint8 else 255 * x
  rows, columns = (interpolation(n, how.half_pixel, how.antialias)
                   for n in x.shape[1:3])
  x = jnp.einsum('ih,bhwc->biwc', rows, x, precision='highest')
  x = jnp.einsum('jw,biwc->bijc', columns, x, precision='highest')
  x = (x - how.mean) / how.scale
  return jnp.repeat(x, 3, axis=-1) if x.shape[-1] == 1 else x


def interpolation(n: int, half_pixel: bool, antialias: bool) -> np.ndarray:
  """Weights [299, n] of the linear interpolation of n pixels."""
  ratio = n / network.SIZE
  at = (np.arange(network.SIZE) + .5 * half_pixel) * ratio - .5 * half_pixel
  width = max(1., ratio) if antialias else 1.
  weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(n)) / width)
  # Beyond the border only the pixel at the border has a weight, so
  # that pixel is repeated.
  return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _metrics(dims):
  """The comparisons and their names, by option."""
  prdc = {name: f'{name}{dims}'
          for name in ('precision', 'recall', 'density', 'coverage')}
  return {'fid': (comparisons.frechet, {'frechet': f'fid{dims}'}),
          'kid': (comparisons.kernel, {'kernel': f'kid{dims}'}),
          'prdc': (comparisons.manifold, prdc),
          'mind': (comparisons.sliced, {'sliced': f'mind{dims}'})}


def _folders(data):
  """Folders that may hold the weights: around the data, and SWAE_JAX_DATA."""
  paths = [pathlib.Path(file['path']).expanduser() for file in
           data.provenance.get('files', {}).values() if 'path' in file]
  around = {str(parent): None for path in paths for parent in
            (path.parent.parent, path.parent)}
  named = os.environ.get('SWAE_JAX_DATA')
  return [*around, *([named] if named else [])]
