"""The settings of each system: the option values that differ from defaults.

`<setting>` has the values of the system's paper.  `<setting>/reference_code`
has the values of the code that the authors released, if the two disagree.  The
files in configs/ change values for their data sets.
"""
from collections.abc import Mapping
from typing import Any

import ml_collections

from swae_jax import errors
from swae_jax.training import config as config_lib

Settings = dict[str, Any]

# Sun & Guo 2021, appendix A.3: gated networks, rate .001.  The appendix names
# Adam; the released code also normalises each gradient, and training needs
# this: with Adam alone at this rate, on 28x28 images, the decoder no longer
# depends on its code after 40 steps.  Epochs and batch size are ours.  The
# paper chooses the best model by the validation loss.
SUN_GUO: Settings = {
    'network.name': 'gated_conv',
    'optimizers.model.name': 'adam_norm_grad',
    'optimizers.model.learning_rate': 1e-3,
    'train.batch_size': 100,
    'train.valid_every': 1,
    'train.select': 'best',
}
SWAE: Settings = {**SUN_GUO, 'system.name': 'swae'}
# Half the rate, and the best of 200 epochs by validation.
SWAE_CODE: Settings = {
    **SWAE,
    'optimizers.model.learning_rate': 5e-4,
    'train.epochs': 200,
    'train.patience': 50,
}
# SWAE without a penalty: shows how much reconstruction a penalty costs.
AE: Settings = {**SUN_GUO, 'system.name': 'ae'}

# Tolstikhin et al. 2018: lambda 10, one IMQ kernel, the rate for MNIST and the
# schedule of appendix E.
WAE_MMD: Settings = {
    'system.name': 'wae',
    'system.wae.weight': 10.,
    'penalty.name': 'mmd',
    'network.name': 'dcgan',
    'optimizers.model.name': 'adam',
    'optimizers.model.learning_rate': 1e-3,
    'optimizers.model.adam.b1': .5,
    'optimizers.model.schedule.name': 'step',
    'optimizers.model.schedule.step.epochs': (30, 50),
    'optimizers.model.schedule.step.factors': (.5, .1),
    'train.batch_size': 100,
}
# Seven IMQ kernels, scaled cost, noise on the input, pre-training.
WAE_MMD_CODE: Settings = {
    **WAE_MMD,
    'penalty.mmd.kernel': 'imq_multiscale',
    'system.wae.cost_scale': .05,
    'system.wae.input_noise': .01,
    'system.wae.pretrain_steps': 200,
    'optimizers.model.schedule.step.epochs': (30, 50, 100),
    'optimizers.model.schedule.step.factors': (.5, .1, .01),
}
# The paper gives no rate for the critic; this rate is from the released code.
WAE_GAN: Settings = {
    **WAE_MMD,
    'penalty.name': 'gan',
    'optimizers.critic.name': 'adam',
    'optimizers.critic.learning_rate': 5e-4,
    'optimizers.critic.adam.b1': .5,
    'optimizers.critic.schedule.name': 'step',
    'optimizers.critic.schedule.step.epochs': (30, 50),
    'optimizers.critic.schedule.step.factors': (.5, .1),
}
# The changes of WAE_MMD_CODE; the released code updates the model before the
# critic.
WAE_GAN_CODE: Settings = {
    **WAE_GAN,
    'system.wae.cost_scale': .05,
    'system.wae.input_noise': .01,
    'system.wae.pretrain_steps': 200,
    'optimizers.model.schedule.step.epochs': (30, 50, 100),
    'optimizers.model.schedule.step.factors': (.5, .1, .01),
    'optimizers.critic.schedule.step.epochs': (30, 50, 100),
    'optimizers.critic.schedule.step.factors': (.5, .1, .01),
}

# Kolouri et al. 2018, appendix: network, optimizer and epochs; a ring in two
# dimensions.
SLICED: Settings = {
    'system.name': 'wae',
    'system.wae.cost': 'bce_l1',
    'system.wae.weight': 10.,
    'penalty.name': 'sliced',
    'penalty.sliced.projections': 50,
    'prior.name': 'ring',
    'latents': 2,
    'network.name': 'avgpool',
    'optimizers.model.name': 'rmsprop',
    'optimizers.model.learning_rate': 1e-3,
    'train.batch_size': 500,
    'train.epochs': 20,
}
# 30 epochs; the weight grows by a tenth in each epoch after `growth_from`.
SLICED_CODE: Settings = {
    **SLICED, 'system.wae.growth': 1.1, 'train.epochs': 30}

# The VAE of Sun & Guo 2021, in the networks of SWAE.
VAE: Settings = {**SUN_GUO, 'system.name': 'vae'}
# SWAE_CODE as a VAE, with the KL estimated from one code of each image.
VAE_CODE: Settings = {
    **SWAE_CODE, 'system.name': 'vae', 'system.vae.kl': 'sampled'}
# The VAE example of Flax, which reports 101.5 nats.  The example has a fixed
# binary MNIST, and this setting binarises anew.
VAE_FLAX: Settings = {
    'system.name': 'vae',
    'system.vae.likelihood': 'bernoulli',
    'network.name': 'mlp',
    'network.mlp.hidden': 500,
    'network.mlp.depth': 1,
    'network.mlp.gated': False,
    'latents': 20,
    'optimizers.model.name': 'adam',
    'train.batch_size': 128,
    'train.epochs': 30,
}

# The VampPrior of Sun & Guo 2021: two levels, each of `latents` numbers.
VAMPPRIOR: Settings = {
    **SUN_GUO, 'system.name': 'vampprior', 'system.vampprior.levels': 2}
# Tomczak & Welling 2018: warm-up, gradients normalised before Adam (their code
# gives it betas .9 and .999), pseudo-inputs that start at noise.
VAMPPRIOR_CODE: Settings = {
    **VAMPPRIOR,
    'system.vampprior.start': 'noise',
    'system.vampprior.warm_up': 100,
    'optimizers.model.learning_rate': 5e-4,
    'train.epochs': 2000,
    'train.patience': 50,
}
# The MIM of Sun & Guo 2021: symmetric, in the networks of the VampPrior.
MIM: Settings = {**SUN_GUO, 'system.name': 'mim', 'system.mim.levels': 2}
# The values of VAMPPRIOR_CODE: the code of MIM builds on that of VampPrior.
MIM_CODE: Settings = {
    **MIM,
    'system.mim.start': 'noise',
    'system.mim.warm_up': 100,
    'optimizers.model.learning_rate': 5e-4,
    'train.epochs': 2000,
    'train.patience': 50,
}

SETTINGS: dict[str, Settings] = {
    'ae': AE,
    'mim': MIM,
    'mim/reference_code': MIM_CODE,
    'sliced': SLICED,
    'sliced/reference_code': SLICED_CODE,
    'swae': SWAE,
    'swae/reference_code': SWAE_CODE,
    'vae': VAE,
    'vae/flax_example': VAE_FLAX,
    'vae/reference_code': VAE_CODE,
    'vampprior': VAMPPRIOR,
    'vampprior/reference_code': VAMPPRIOR_CODE,
    'wae_gan': WAE_GAN,
    'wae_gan/reference_code': WAE_GAN_CODE,
    'wae_mmd': WAE_MMD,
    'wae_mmd/reference_code': WAE_MMD_CODE,
}


def get_config(dataset: str, setting: str, settings: Mapping[str, Settings],
               common: Settings | None = None) -> ml_collections.ConfigDict:
  """The config of a setting on a data set.

  Args:
    dataset: a name in DATASETS.
    setting: a name in `settings` or in SETTINGS.
    settings: {name: Settings} of the file of the data set; they replace those
      of the same name in SETTINGS.
    common: option values for all settings, which each setting may change.
  """
  known = {**SETTINGS, **settings}
  if setting not in known:
    raise errors.UserError(
        f'--config: there is no setting {setting!r}; there are '
        f'{", ".join(sorted(known))}')
  return config_lib.get_config({
      'name': f'{dataset}-{setting.replace("/", "-")}',
      'data.name': dataset, **(common or {}), **known[setting]})
