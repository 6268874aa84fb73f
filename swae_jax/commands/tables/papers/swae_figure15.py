"""Figure 15 of Sun & Guo 2021: error of the reconstructions of CelebA.

swae tables --table=swae_figure15 --workdir=DIR --data_dir=DIR
"""
from swae_jax.commands.tables.papers import base


def get_table() -> base.Table:
  """Eight runs on CelebA, whole pictures, for each of three seeds."""
  return base.paper(
      'swae_figure15', 'Reconstruction error, summed over an image, test split',
      'reconstruction_error', lambda cell: {'data.celeba.crop': 'none'},
      seeds=3, notes=(
          'The released code decodes a draw of each code of VAE, VampPrior and '
          'MIM; this table decodes the mean codes.',))
