"""Table 2 of Sun & Guo 2021: FID of samples.

swae tables --table=swae_table2 --workdir=DIR --data_dir=DIR
"""
from typing import Any

from swae_jax.commands.tables.papers import base

# The captions of figures 7, 8 and 9 give beta*.  That of figure 6, MNIST's,
# cannot be read: it has the beta* of Fashion-MNIST here.
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
          'The FID of the paper is not the usual one: 2,000 samples against '
          'the first 5,000 test images, binary where the data are, and with '
          'the pixels of RGB images scrambled. All of this is done here, '
          'except for the scrambling. The floor is the FID of real images.',
          'swae(beta=best) has beta 0.05 on Fashion-MNIST and 0.5 on COIL-20 '
          'and CIFAR10-sub, as in the paper. On MNIST, where the beta of the '
          'paper cannot be read, it has 0.05.'))
