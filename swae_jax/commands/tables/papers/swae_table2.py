"""Table 2 of Sun & Guo 2021: FID of samples.

swae tables --table=swae_table2 --workdir=DIR --data_dir=DIR
"""
from typing import Any

from swae_jax.commands.tables.papers import base

# The captions of figures 7, 8 and 9 give beta*.  The caption of figure 6, on
# MNIST, cannot be read, so MNIST has the beta* of Fashion-MNIST here.
BEST = {'mnist': .05, 'fashion_mnist': .05, 'coil20': .5, 'cifar10_sub': .5}


def changes(cell: base.Cell) -> dict[str, Any]:
  """The beta of the column of the best beta."""
  best = cell.system == 'swae(beta=best)'
  return {'system.swae.beta': BEST[cell.dataset]} if best else {}


def get_table() -> base.Table:
  """Nine runs on each of four data sets."""
  return base.paper(
      'swae_table2', 'FID of samples', r'fid2048_\d+k?_swae_paper', changes,
      also=r'fid2048_\d+k?(_swae_paper_floor)?', evals=(
          ('fid', {'protocol': 'swae_paper', 'metrics': ('fid',)}),), notes=(
          'The FID of the paper is not the usual one: it compares 2,000 '
          'samples with the first 5,000 test images, keeps binary images '
          'binary, and scrambles the pixels of RGB images. This table does '
          'the same without the scrambling. The floor is the FID of real '
          'images.',
          'swae(beta=best) has beta 0.05 on Fashion-MNIST and 0.5 on COIL-20 '
          'and CIFAR10-sub, as in the paper. On MNIST it has beta 0.05, since '
          'the beta of the paper cannot be read.'))
