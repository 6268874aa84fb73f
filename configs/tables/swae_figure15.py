"""Figure 15 of paper 000: error of the reconstructions of CelebA.

python -m swae_jax.tables --table=swae_figure15 --workdir=DIR --data_dir=DIR
"""
from configs.tables import base


def get_table():
  """Eight runs on CelebA, whole pictures, for each of three seeds."""
  return base.paper(
      'swae_figure15', 'Reconstruction error, summed over an image, test split',
      'reconstruction_error', lambda cell: {'data.crop': 'none'}, seeds=3,
      notes=('The paper\'s code decodes a draw of each code of VAE, VampPrior '
             'and MIM; ours decodes mean codes.',))
