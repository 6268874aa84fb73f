"""Table 3 of Sun & Guo 2021: error of the reconstructions.

swae tables --table=swae_table3 --workdir=DIR --data_dir=DIR

The runs are among those of swae_table1; with one workdir for both tables they
are trained once.
"""
from swae_jax.commands.tables.papers import base


def get_table() -> base.Table:
  """Seven runs for each of ten codes, for each of five seeds."""
  return base.paper(
      'swae_table3', 'Reconstruction error, summed over an image, test split',
      'reconstruction_error', seeds=5, notes=(
          'The released code decodes a draw of each code of VAE, VampPrior and '
          'MIM; this table decodes the mean codes.',))
