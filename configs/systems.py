"""The settings of each system: what --config=configs/<data>.py:<system> names.

`<system>` is the paper's setting.  `<system>/reference_code` is that of the
code which its authors released, where the two disagree.
"""
import copy
import functools

import ml_collections

from configs import base
from swae_jax import errors, networks, priors, systems
from swae_jax.training import optimizers


def swae(config):
  """Paper 000: the gated networks and the rate .001 of its appendix A.3.

  The appendix names Adam, the authors' code normalises each gradient first.
  That is needed: with Adam alone at this rate, on 28x28 images, the decoder
  does not depend on its code any more after 40 steps.
  """
  config.objective = base.options(systems.OBJECTIVES, 'swae')
  config.network = base.options(networks.NETWORKS, 'gated_conv')
  config.optimizers.model = base.optimizer('adam_norm_grad')
  config.train.batch_size = 100


def swae_reference_code(config):
  """Half the rate, and the best of 200 epochs by validation.

  The data sets' files floor the decoder's means where images are grey.
  """
  swae(config)
  config.optimizers.model = base.optimizer('adam_norm_grad', 5e-4)
  config.train.update(epochs=200, valid_every=1, patience=50, select='best')


def ae(config):
  """No penalty, otherwise as SWAE: what the penalties cost."""
  swae(config)
  config.objective = base.options(systems.OBJECTIVES, 'ae')


def wae_adam(learning_rate, epochs=(30, 50), factors=(.5, .1)):
  """Adam as paper 001 has it, with the schedule of its appendix E."""
  return base.optimizer(
      'adam', learning_rate, b1=.5, schedule=base.options(
          optimizers.SCHEDULES, 'step', epochs=epochs, factors=factors))


def wae_mmd(config):
  """Paper 001: lambda 10 and one IMQ kernel; MNIST's rate of appendix E."""
  config.objective = base.options(systems.OBJECTIVES, 'wae_mmd')
  config.network = base.options(networks.NETWORKS, 'dcgan')
  config.optimizers.model = wae_adam(1e-3)
  config.train.batch_size = 100


def wae_gan(config):
  """Paper 001, which names no rate of the critic: its released code's."""
  wae_mmd(config)
  config.objective = base.options(systems.OBJECTIVES, 'wae_gan')
  config.optimizers.critic = wae_adam(5e-4)


def wae_reference_code(config):
  """Scaled error, noise on the input, pre-training; as both systems' code."""
  config.objective.update(
      reconstruction_scale=.05, input_noise=.01, pretrain_steps=200)
  for player in config.optimizers.values():
    player.schedule.update(epochs=(30, 50, 100), factors=(.5, .1, .01))


def wae_mmd_reference_code(config):
  """As `wae_reference_code`, and seven IMQ kernels summed."""
  wae_mmd(config)
  wae_reference_code(config)
  config.objective.kernel = 'imq_multiscale'


def wae_gan_reference_code(config):
  """As `wae_reference_code`; there the model moves before the critic."""
  wae_gan(config)
  wae_reference_code(config)


def sliced(config):
  """Paper 003: networks, optimizer and epochs of its appendix, a ring."""
  config.objective = base.options(systems.OBJECTIVES, 'sliced')
  config.network = base.options(networks.NETWORKS, 'avgpool')
  config.prior = base.options(priors.PRIORS, 'ring')
  config.latents = 2
  config.optimizers.model = base.optimizer('rmsprop')
  config.train.update(batch_size=500, epochs=20)


def sliced_reference_code(config):
  """Ten epochs more, in which the weight grows by a tenth each."""
  sliced(config)
  config.objective.growth = 1.1
  config.train.epochs = 30


def likelihood(config):
  """Of binary images Bernoulli, of others a logistic law, as paper 000's."""
  binary = config.data.get('binarize', False)
  return 'bernoulli' if binary else 'logistic_256'


def vae(config):
  """Paper 000: in the networks of SWAE."""
  swae(config)
  config.objective = base.options(
      systems.OBJECTIVES, 'vae', likelihood=likelihood(config))


def vae_reference_code(config):
  """That of paper 000: as for SWAE, with the KL at the one code."""
  swae_reference_code(config)
  config.objective = base.options(
      systems.OBJECTIVES, 'vae', likelihood=likelihood(config), kl='sampled')


def vae_flax_example(config):
  """The example of Flax, but for its fixed binary MNIST: 101.5 nats there."""
  config.objective = base.options(systems.OBJECTIVES, 'vae')
  config.network = base.options(
      networks.NETWORKS, 'mlp', hidden=500, depth=1, gated=False)
  config.latents = 20
  config.train.update(batch_size=128, epochs=30)


def vampprior(config):
  """Paper 000: two levels, each of `latents` numbers."""
  swae(config)
  config.objective = base.options(
      systems.OBJECTIVES, 'vampprior', levels=2,
      likelihood=likelihood(config))


def vampprior_reference_code(config):
  """Warm-up, gradients normalised before Adam, pseudo-inputs from noise."""
  vampprior(config)
  config.objective.update(start='noise', warm_up=100)
  config.optimizers.model = base.optimizer('adam_norm_grad', 5e-4, b1=.5)
  config.train.update(epochs=2000, valid_every=1, patience=50, select='best')


def mim(config):
  """Paper 000: symmetric, in the networks of the VampPrior."""
  swae(config)
  config.objective = base.options(
      systems.OBJECTIVES, 'mim', levels=2, likelihood=likelihood(config))


def mim_reference_code(config):
  """As the VampPrior's code, with the usual momentum."""
  mim(config)
  config.objective.update(start='noise', warm_up=100)
  config.optimizers.model = base.optimizer('adam_norm_grad', 5e-4)
  config.train.update(epochs=2000, valid_every=1, patience=50, select='best')


SYSTEMS = {
    'ae': ae,
    'mim': mim,
    'mim/reference_code': mim_reference_code,
    'sliced': sliced,
    'sliced/reference_code': sliced_reference_code,
    'swae': swae,
    'swae/reference_code': swae_reference_code,
    'vae': vae,
    'vae/flax_example': vae_flax_example,
    'vae/reference_code': vae_reference_code,
    'vampprior': vampprior,
    'vampprior/reference_code': vampprior_reference_code,
    'wae_gan': wae_gan,
    'wae_gan/reference_code': wae_gan_reference_code,
    'wae_mmd': wae_mmd,
    'wae_mmd/reference_code': wae_mmd_reference_code,
}


def override(config, option, value):
  """Sets an option, or a whole section where the value is one."""
  *path, name = option.split('.')
  section = functools.reduce(lambda part, key: part[key], path, config)
  if name not in section:
    raise errors.UserError(f'{config.name} has no option {option!r}')
  if isinstance(value, ml_collections.ConfigDict):
    value = copy.deepcopy(value)  # A config may change, and none other by it.
  section[name] = value


def get_config(dataset, system, overrides=None):
  """All options for a system on a data set.

  Args:
    dataset: a name in DATASETS.
    system: a name in SYSTEMS.
    overrides: {name: {option: value}}, such as {'swae': {'latents': 40}}, of
      what the data set changes: '' for every system, then 'swae' for both its
      settings, then 'swae/reference_code' for that one.  A value may be a
      whole section, as {'network': base.options(NETWORKS, 'mlp')}.
  """
  if system not in SYSTEMS:
    raise errors.UserError(
        f'no system {system!r}; there are {", ".join(sorted(SYSTEMS))}')
  config = base.get_config(dataset)
  config.name = f'{dataset}-{system.replace("/", "-")}'
  SYSTEMS[system](config)
  for name in dict.fromkeys(('', system.partition('/')[0], system)):
    for option, value in (overrides or {}).get(name, {}).items():
      override(config, option, value)
  return config
