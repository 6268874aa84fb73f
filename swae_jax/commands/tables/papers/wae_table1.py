"""Table 1 of Tolstikhin et al. 2018: FID of samples of CelebA.

swae tables --table=wae_table1 --workdir=DIR --data_dir=DIR
"""
from swae_jax.commands.tables.papers import base
from swae_jax.training import presets

# Section 4 and appendix E: the networks and the optimizer of the WAEs.
VAE = {
    **{k: v for k, v in presets.WAE_MMD.items()
       if k.startswith(('network.', 'optimizers.', 'train.'))},
    'data.celeba.crop': 'close140',
    'system.vae.likelihood': 'gaussian',
    'system.vae.scale': .3,  # The paper gives no scale.
    'optimizers.model.learning_rate': 1e-4,
    'train.epochs': 68,
    'train.valid_every': 0,
    'train.select': 'last',
}


def get_table() -> base.Table:
  """Three runs."""
  return base.paper(
      'wae_table1', 'FID of samples', r'fid2048_\d+k?',
      lambda cell: VAE if cell.system == 'vae' else {},
      also=r'fid2048_\d+k?_floor', evals=(('fid', {'metrics': ('fid',)}),),
      notes=(
          'The paper gives neither the number of samples behind its FID nor '
          'the deviation of the pixels of its VAE. The deviation here is '
          '0.3.',))
