"""Table 3 of paper 000: error of the reconstructions.

python -m swae_jax.tables --table=swae_table3 --workdir=DIR --data_dir=DIR

Its runs are among those of swae_table1: in one workdir they are made once.
"""
from configs.tables import base


def get_table():
  """Seven runs for each of ten codes, for each of five seeds."""
  return base.paper(
      'swae_table3', 'Reconstruction error, summed over an image, test split',
      'reconstruction_error', seeds=5, notes=(
          'The paper\'s code decodes a draw of each code of VAE, VampPrior '
          'and MIM; ours decodes mean codes.',))
