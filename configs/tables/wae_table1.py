"""Table 1 of paper 001: FID of samples of CelebA.

python -m swae_jax.tables --table=wae_table1 --workdir=DIR --data_dir=DIR
"""
from configs import base as configs_base
from configs import systems
from configs.tables import base
from swae_jax import networks

# Section 4 and appendix E: the networks of the WAEs, normal pixels.
VAE = {
    'network': configs_base.options(networks.NETWORKS, 'dcgan'),
    'data.crop': 'close140',
    'objective.likelihood': 'gaussian',
    'objective.scale': .3,  # The paper gives none: ours.
    'optimizers.model': systems.wae_adam(1e-4),
    'train.epochs': 68,
}


def get_table():
  """Three runs."""
  return base.paper(
      'wae_table1', 'FID of samples', r'fid2048_\d+k?',
      lambda cell: VAE if cell.system == 'vae' else {},
      also=r'fid2048_\d+k?_floor', evals=(('fid', {'metrics': ('fid',)}),),
      notes=(
          'The paper gives neither the number of samples behind its FID nor '
          'the deviation of the pixels of its VAE, which is 0.3 here.',))
