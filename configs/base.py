"""Every option of a run, once.

A data set's config starts from `get_config(data, system)` and overrides what
is its own.  The options of a data set, network, prior, system or evaluator are
the keyword arguments of its function, with the defaults that stand there, so
that each can be given on the command line and unknown ones are refused.
"""
import inspect

import ml_collections

from swae_jax import (
    data, errors, evals, networks, objectives, optimizers, priors)


def options(registry, name, **overrides):
  """The options of registry[name], with their defaults but for overrides."""
  parameters = inspect.signature(registry[name]).parameters.values()
  known = {p.name: p.default for p in parameters
           if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}
  if overrides.keys() - known.keys():
    raise errors.UserError(
        f'{name} has no option {min(overrides.keys() - known.keys())!r}')
  return ml_collections.ConfigDict({'name': name, **known, **overrides})


def optimizer(name='adam', learning_rate=1e-3, schedule=None, **overrides):
  """The options of an optimizer and of its schedule."""
  config = options(optimizers.OPTIMIZERS, name, **overrides)
  config.learning_rate = learning_rate
  config.schedule = schedule or options(optimizers.SCHEDULES, 'constant')
  return config


def swae(config):
  """Paper 000: the gated networks and Adam of its appendix A.3."""
  config.objective = options(objectives.OBJECTIVES, 'swae')
  config.network = options(networks.NETWORKS, 'gated_conv')
  config.train.batch_size = 100


def wae_mmd(config):
  """Paper 001, on the gated networks: all systems on the same ones."""
  config.objective = options(objectives.OBJECTIVES, 'wae_mmd')
  config.network = options(networks.NETWORKS, 'gated_conv')
  config.optimizers.model = optimizer(b1=.5)
  config.train.batch_size = 100


def sliced(config):
  """Paper 003: the networks and the optimizer of its appendix, a ring."""
  config.objective = options(objectives.OBJECTIVES, 'sliced')
  config.network = options(networks.NETWORKS, 'avgpool')
  config.prior = options(priors.PRIORS, 'ring')
  config.latents = 2
  config.optimizers.model = optimizer('rmsprop')
  config.train.batch_size = 500


# What --config=configs/<data>.py:<system> can name.
SYSTEMS = {'swae': swae, 'wae_mmd': wae_mmd, 'sliced': sliced}


def get_config(dataset='digits', system='swae'):
  """All options, for a data set and a system."""
  config = ml_collections.ConfigDict()
  config.name = f'{dataset}-{system}'  # Names the default workdir.
  config.seed = 0  # Start, order of the examples and all noise.
  config.devices = 0  # How many to use; 0: all there are.
  config.latents = 8  # Dimension of the code.
  config.data = options(data.DATASETS, dataset)
  config.prior = options(priors.PRIORS, 'normal')

  config.optimizers = ml_collections.ConfigDict()  # One for each player.
  config.optimizers.model = optimizer()

  config.train = ml_collections.ConfigDict()
  config.train.batch_size = 100  # Examples, over all devices together.
  config.train.epochs = 100  # The remainder of an epoch is dropped.
  config.train.steps = 0  # Instead of epochs, if not 0.
  config.train.log_every = 100  # Steps between lines of metrics.jsonl.
  config.train.save_every = 500  # Steps between checkpoints.
  config.train.keep = 2  # Checkpoints that stay.

  # By evaluator; `run` turns one off.
  config.evals = ml_collections.ConfigDict()
  for name in evals.EVALS:
    config.evals[name] = options(evals.EVALS, name)
    del config.evals[name].name
    config.evals[name].run = True

  if system not in SYSTEMS:
    raise errors.UserError(
        f'no system {system!r}; there are {", ".join(SYSTEMS)}')
  SYSTEMS[system](config)
  return config
