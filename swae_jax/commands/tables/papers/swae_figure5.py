"""Figure 5 of Sun & Guo 2021: 5 nearest neighbours in two dimensions.

swae tables --table=swae_figure5 --workdir=DIR --data_dir=DIR
"""
from swae_jax.commands.tables.papers import base


def get_table() -> base.Table:
  """Seven runs on MNIST; each leaves its picture of the codes."""
  return base.paper(
      'swae_figure5', '5-NN accuracy of two-dimensional codes, test split',
      base.accuracy, also='knn5_accuracy(_sampled_code)?', notes=(
          'The released code classifies a draw of each code of VAE, VampPrior '
          'and MIM, and the mean code of the others. So does this table.',
          'VampPrior and MIM have two levels of two numbers each; t-SNE lays '
          'out the pictures of their codes.'))
