"""Real against generated images, in the features of some network.

The network is an `Extractor`; this file knows which images meet, how their
features are computed in batches, and what the results are called.
"""
from collections.abc import Callable, Iterable
import hashlib
from typing import NamedTuple

import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.data.formats import cache
from swae_jax.evals import base

DECODED = 500  # Images decoded at once.


class Extractor(NamedTuple):
  """Features of images."""
  fn: Callable  # x [B, H, W, C] uint8, or float in [0, 1] -> [B, D]
  batch_size: int
  metrics: dict  # Option -> (comparison, {what it finds: its name}).
  source: dict  # In JSON, all that the features depend on.
  protocol: str


class Images(NamedTuple):
  """The images that meet."""
  real: np.ndarray  # [N, H, W, C]
  floor: np.ndarray  # [N', H, W, C], other real ones.
  generated: Iterable  # Chunks [b, H, W, C], as need not be in memory at once.
  split: str  # Of the real ones.
  of: str  # What was generated.
  protocol: str


def compare(extractor, images, metrics, cache_dir=''):
  """Yields the metrics of these images, each with its floor, as base.Metric."""
  unknown = set(metrics) - extractor.metrics.keys()
  if unknown:
    raise errors.UserError(f'metrics: there is no {min(unknown)!r}; choose of '
                           f'{", ".join(extractor.metrics)}')
  real = kept(extractor, images.real, cache_dir)
  of = '' if images.of == 'samples' else f'_{images.of}'
  ending = '' if images.protocol == 'standard' else f'_{images.protocol}'
  for suffix, side in (
      (of + ending, extract(extractor, images.generated)),
      (f'{ending}_floor', kept(extractor, images.floor, cache_dir))):
    protocol = (f'{images.protocol}, {len(side)} against {len(real)}; '
                f'{extractor.protocol}')
    for option in metrics:
      comparison, names = extractor.metrics[option]
      # No comparison would survive them, and some would give a number.
      finite = np.isfinite(side).all()
      found = comparison(real, side) if finite else dict.fromkeys(names, np.nan)
      for what, name in names.items():
        yield base.Metric(f'{name}_{number(len(side))}{suffix}', found[what],
                          len(side), images.split, protocol)


def number(n):
  """10000 -> '10k', 297 -> '297'."""
  return f'{n // 1000}k' if n % 1000 == 0 else str(n)


def extract(extractor, chunks):
  """Features float32 [N, D] of images that come in chunks."""
  out = []
  for chunk in chunks:
    for x in split(chunk, extractor.batch_size):
      padding = [(0, extractor.batch_size - len(x))] + [(0, 0)] * 3
      out.append(np.asarray(extractor.fn(np.pad(x, padding)))[:len(x)])
  return np.concatenate(out)


def kept(extractor, x, cache_dir):
  """`extract` of an array, or what is kept of it in a folder."""
  make = lambda: extract(extractor, [x])
  if not cache_dir:
    return make()
  digest = hashlib.sha256(np.ascontiguousarray(x).data).hexdigest()
  source = {**extractor.source, 'images': f'{x.dtype.str}{x.shape} {digest}'}
  return cache.images(cache_dir, 'features', source, make)[0]


def split(x, size):
  """An array in chunks of `size` rows."""
  return (x[i:i + size] for i in range(0, len(x), size))


def standard(view, of, samples):
  """As many generated images as real ones, all in 256 levels.

  The real ones are of the test split, drawn from it where it has more; of
  binary data they are the grey ones, as the decoder's means are.  The floor is
  that of training images.
  """
  data, rng = check(view.data), np.random.default_rng(0)
  train, test = data.train.images, data.test.images
  order = rng.permutation(len(train))
  pick = lambda index, x: x[np.sort(index)]
  n = min(samples, len(test))
  chosen = rng.permutation(len(test))[:n]
  real = pick(chosen, test if data.grey is None else data.grey)
  return Images(real, pick(order[-n:], train),
                map(_levels, _generated(view, of, pick(chosen, test), n)),
                'test', of, 'standard')


def swae_paper(view, of):
  """2,000 generated images against the first 5,000 test images.

  As in the released code of Sun and Guo, "Symmetric Wasserstein autoencoders",
  2021: of binary data the test images stay binary, and the decoder's means are
  not rounded.  One thing is not reproduced: that code scrambles the pixels of
  RGB images, by a reshape in the place of a transpose.
  """
  real, n = check(view.data).test.images[:5000], 2000
  return Images(real, data_base.fixed_train(view.data)[:n],
                _generated(view, of, real[:n], n), 'test', of, 'swae_paper')


def check(data):
  """Returns data whose examples are images; UserError for others."""
  images = data.train.images
  if not base.is_image(images.shape[1:]) or images.dtype != np.uint8:
    raise errors.UserError(
        f'data set {data.name}: features are of images, uint8 [H, W, 1 or 3], '
        f'found {images.dtype} {list(images.shape[1:])}')
  return data


def _generated(view, of, seen, n):
  """Chunks of decoded images: of `n` samples, or of the images `seen`."""
  if of == 'samples':
    return map(view.decode, split(view.sample(n), DECODED))
  if of == 'reconstructions':
    return (view.decode(view.encode(x)) for x in split(seen, DECODED))
  raise errors.UserError(
      f"of: must be 'samples' or 'reconstructions', found {of!r}")


def _levels(x):
  """Images in [0, 1] as they would be saved; as they are if not finite."""
  if not np.isfinite(x).all():
    return x
  return np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)
