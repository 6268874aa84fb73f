"""Table 1 of Sun & Guo 2021: accuracy of 5 nearest neighbours in the codes.

swae tables --table=swae_table1 --workdir=DIR --data_dir=DIR
"""
from swae_jax.commands.tables.papers import base


def get_table() -> base.Table:
  """24 runs on each of four data sets, for each of five seeds."""
  return base.paper(
      'swae_table1', '5-NN accuracy of the codes, test split', base.accuracy,
      also='knn5_accuracy(_sampled_code)?', seeds=5, notes=(
          'The released code classifies a draw of each code of VAE, VampPrior '
          'and MIM, and the mean code of the others. So does this table.',
          'The paper prints no deviations; they are below 0.01 in general.'))
