"""Real images against generated images, in the features of a network.

The network is an `Extractor`.  This module chooses the images that are
compared, computes their features in batches, and names the results.
"""
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import hashlib
from typing import Any, Literal, NamedTuple

import numpy as np

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.data.formats import cache
from swae_jax.evals import base, comparisons

DECODED = 500  # Images decoded at once.
PAPER_REAL, PAPER_GENERATED = 5000, 2000  # Images of protocol 'swae_paper'.
# The images compared with real images: decoded samples of the prior, or the
# reconstructions of the real images.
Of = Literal['samples', 'reconstructions']
# A comparison of features, real [N, D] and other [M, D] -> {name: value}.
Comparison = Callable[[np.ndarray, np.ndarray], dict[str, float]]


class Extractor(NamedTuple):
  """A network that computes features of images.

  Attributes:
    fn: x [batch_size, H, W, C], uint8 or float in [0, 1], -> [batch_size, D].
    batch_size: images in a call.
    metrics: the comparisons of these features by the name of the option, each
      with the metric name for each value that it returns.
    source: the facts besides the images that determine the features, as JSON.
    protocol: the source in words, for the metrics.
  """
  fn: Callable[..., Any]
  batch_size: int
  metrics: Mapping[str, tuple[Comparison, Mapping[str, str]]]
  source: Mapping[str, Any]
  protocol: str


class Images(NamedTuple):
  """The images that are compared.

  Attributes:
    real: [N, H, W, C].
    floor: other real images [M, H, W, C]: their metrics against `real` are the
      best that a system can reach.
    generated: chunks [b, H, W, C], one after the other, so that they need not
      be in memory together.
    split: the split of `real`.
    of: what `generated` are: 'samples' or 'reconstructions'.
    protocol: 'standard' or 'swae_paper'.
  """
  real: np.ndarray
  floor: np.ndarray
  generated: Iterable[np.ndarray]
  split: str
  of: str
  protocol: str


def compare(extractor: Extractor, images: Images, metrics: Sequence[str],
            cache_dir: str = '') -> Iterator[base.Metric]:
  """Yields the metrics of generated images, then the floor of each metric.

  Args:
    extractor: the network.
    images: the images.
    metrics: names of `extractor.metrics`.
    cache_dir: the folder that keeps the features of real images; '' keeps none.
  """
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
      # Most comparisons fail on NaN, but some return a number.
      finite = np.isfinite(side).all()
      found = comparison(real, side) if finite else dict.fromkeys(names, np.nan)
      for key, name in names.items():
        yield base.Metric(f'{name}_{number(len(side))}{suffix}', found[key],
                          len(side), images.split, protocol)


def number(n: int) -> str:
  """10000 -> '10k', 297 -> '297'."""
  return f'{n // 1000}k' if n % 1000 == 0 else str(n)


def extract(extractor: Extractor, chunks: Iterable[np.ndarray]) -> np.ndarray:
  """Features float32 [N, D] of images that come in chunks."""
  out = []
  for chunk in chunks:
    for x in split(chunk, extractor.batch_size):
      padding = [(0, extractor.batch_size - len(x))] + [(0, 0)] * 3
      out.append(np.asarray(extractor.fn(np.pad(x, padding)))[:len(x)])
  return np.concatenate(out)


def kept(extractor: Extractor, x: np.ndarray, cache_dir: str) -> np.ndarray:
  """Features of an array of images; the folder `cache_dir` keeps them."""
  make = lambda: {'features': extract(extractor, [x])}
  source = {**extractor.source, 'images': digest(x)}
  found = (cache.kept(cache_dir, 'features', source, make) if cache_dir
           else make())
  return found['features']


def digest(*arrays: np.ndarray) -> str:
  """sha256 (hex) of the types, shapes and bytes of arrays."""
  found = hashlib.sha256()
  for x in arrays:
    found.update(f'{x.dtype.str}{x.shape}'.encode())
    found.update(np.ascontiguousarray(x).data)
  return found.hexdigest()


def split(x: np.ndarray, size: int) -> Iterator[np.ndarray]:
  """An array in chunks of `size` rows."""
  return (x[i:i + size] for i in range(0, len(x), size))


def standard(view: base.View, of: Of, samples: int) -> Images:
  """Generated images, one for each real image, all in 256 levels.

  The real images are `samples` test images, or all test images if there are
  fewer.  For binary data they are the grey images before binarisation, since
  the decoder's means are grey.  The floor consists of training images.
  """
  data, rng = view.data, np.random.default_rng(0)
  train, test = data.train.images, data.test.images
  order = rng.permutation(len(train))
  pick = lambda index, x: x[np.sort(index)]
  n = min(samples, len(test))
  chosen = rng.permutation(len(test))[:n]
  real = pick(chosen, test if data.grey is None else data.grey)
  return Images(real, pick(order[-n:], train),
                map(_levels, _generated(view, of, pick(chosen, test), n)),
                'test', of, 'standard')


def swae_paper(view: base.View, of: Of) -> Images:
  """2,000 generated images against the first 5,000 test images.

  The released code of Sun and Guo 2021 does the same: binary test images stay
  binary, and the decoder's means are not rounded.  But their
  code scrambles the pixels of RGB images by a reshape in place of a transpose.
  """
  real, n = view.data.test.images[:PAPER_REAL], PAPER_GENERATED
  return Images(real, data_base.fixed_train(view.data)[:n],
                _generated(view, of, real[:n], n), 'test', of, 'swae_paper')


def check(dataset: data_base.Dataset, evaluator: str,
          chosen: Mapping[str, Any]) -> None:
  """Refuses options of an evaluator that do not fit the data set.

  The data must be images, and each side must have as many of them as the
  comparisons need.
  """
  images, metrics = dataset.train.images, tuple(chosen['metrics'])
  off = f'set --config.evals.{evaluator}.run=False'
  if not base.is_image(images.shape[1:]) or images.dtype != np.uint8:
    raise errors.UserError(
        f'--config.evals.{evaluator}.run=True: it compares images, uint8 '
        f'[H, W, 1 or 3], and the data set {dataset.name} has {images.dtype} '
        f'{list(images.shape[1:])}; {off}')
  base.check_list(f'{evaluator}.metrics', metrics)
  paper = chosen.get('protocol') == 'swae_paper'
  most = PAPER_GENERATED if paper else chosen['samples']
  n = min(most, len(dataset.test.images), len(images))
  least = comparisons.NEIGHBOURS + 1 if 'prdc' in metrics else 2
  if n < least:
    raise base.refused(
        f'{evaluator}.metrics', metrics, f'at least {least} images a side are '
        f'needed, and there are {n} (at most {most}, and the data set '
        f'{dataset.name} has {len(dataset.test.images)} test and {len(images)} '
        f'training images); ask for more samples or other metrics, or {off}')


def _generated(view, of, seen, n):
  """Chunks of decoded images: of `n` samples, or of the codes of `seen`."""
  if of == 'samples':
    return map(view.decode, split(view.sample(n), DECODED))
  return (view.decode(view.encode(x)) for x in split(seen, DECODED))


def _levels(x):
  """Images in 256 levels, like those of a file; unchanged if not finite."""
  return data_base.to_uint8(x) if np.isfinite(x).all() else x
