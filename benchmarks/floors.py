"""Metrics of real images against real images: the floor for every system.

  python -m benchmarks.floors --dataset=mnist --data_dir=DIR --dims=768

Both sides are drawn from all splits together, and no image is drawn twice.
Smaller numbers of samples are the first ones of the largest number.  --dims=0
takes the features of the classifier.
"""
import argparse
import json
import time

import numpy as np

from swae_jax import data, options
from swae_jax.evals import classifier, comparisons, features, fid
from swae_jax.evals.inception import weights

COMPARISONS = {
    'frechet': comparisons.frechet, 'kid': comparisons.kernel,
    'prdc': comparisons.manifold, 'mind': comparisons.sliced}


def extractor_of(dataset, flags):
  """Inception with --dims features, or a classifier of the data set."""
  if flags.dims:
    path = flags.weights or weights.find(flags.data_dir)
    return fid.make(str(path), flags.dims, flags.resize, 50)
  return classifier.only(
      classifier.extractor(dataset, epochs=2, cache_dir=''))


def main():
  """Reads the flags, prints a Markdown table, writes JSON."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--dataset', required=True, choices=data.DATASETS)
  parser.add_argument('--data_dir', default='')
  parser.add_argument('--dims', type=int, default=768, help='0: a classifier')
  parser.add_argument('--resize', default='legacy', choices=fid.RESIZES)
  parser.add_argument('--weights', default='', help='file of Inception')
  parser.add_argument('--samples', type=int, nargs='+', default=[1000, 5000])
  parser.add_argument('--output', help='path of a JSON file to write')
  flags = parser.parse_args()
  make = data.DATASETS[flags.dataset]
  given = {'dir': flags.data_dir, 'binarize': False}
  dataset = make(**{k: v for k, v in given.items() if k in options.of(make)})
  images = np.concatenate([split.images for split in (
      dataset.train, dataset.valid, dataset.test)])
  images = images[np.random.default_rng(0).permutation(len(images))]
  most = min(max(flags.samples), len(images) // 2)
  extractor = extractor_of(dataset, flags)
  began = time.monotonic()
  found = features.extract(extractor, [images[:2 * most]])
  pace = len(found) / (time.monotonic() - began)
  rows = []
  for n in sorted({min(n, most) for n in flags.samples}):
    row = {'dataset': flags.dataset, 'dims': flags.dims, 'samples': n,
           'features': extractor.protocol}
    for compare in COMPARISONS.values():
      row |= compare(found[:n], found[most:most + n])
    rows.append(row)
    print('| ' + ' | '.join(f'{v:.4g}' if isinstance(v, float) else str(v)
                            for v in row.values()) + ' |', flush=True)
  print(f'{pace:.1f} images/s')
  if flags.output:
    with open(flags.output, 'w') as f:
      json.dump({'rows': rows, 'images_per_second': pace}, f, indent=1)


if __name__ == '__main__':
  main()
