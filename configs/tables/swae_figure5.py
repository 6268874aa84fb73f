"""Figure 5 of paper 000: accuracy of 5 nearest neighbours in two dimensions.

python -m swae_jax.tables --table=swae_figure5 --workdir=DIR --data_dir=DIR
"""
from configs.tables import base


def get_table():
  """Seven runs on MNIST; each leaves its picture of the codes."""
  return base.paper(
      'swae_figure5', '5-NN accuracy of two-dimensional codes, test split',
      'knn5_accuracy(_sampled_code)?', notes=(
          'The paper\'s code classifies a draw of each code of VAE, VampPrior '
          'and MIM: theirs compare with knn5_accuracy_sampled_code.',
          'VampPrior and MIM have two levels of two numbers each.'))
