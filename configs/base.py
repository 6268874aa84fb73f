"""Every option of a run, once.

configs/systems.py adds a system, and a data set's own file what differs there.
The options of a data set, network, prior, system or evaluator are
the keyword arguments of its function, with the defaults that stand there, so
that each can be given on the command line and unknown ones are refused.
"""
import inspect

import ml_collections

from swae_jax import data, errors, evals, priors
from swae_jax.training import optimizers


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


def get_config(dataset='digits'):
  """All options, for a data set and no system yet."""
  config = ml_collections.ConfigDict()
  config.name = dataset  # Names the default workdir.
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
  config.train.valid_every = 0  # Epochs between validations; 0: none.
  config.train.patience = 0  # Stops after so many without a gain; 0: never.
  config.train.select = 'last'  # Evaluate the 'last' state, or the 'best'.
  config.train.max_skipped = 10  # Updates not finite in a row, before it stops.
  config.train.tensorboard = False  # Event files too; needs tensorboardX.

  # By evaluator; `run` turns one on or off.
  config.evals = ml_collections.ConfigDict()
  for name in evals.EVALS:
    config.evals[name] = options(evals.EVALS, name)
    del config.evals[name].name
    config.evals[name].run = name in evals.DEFAULT

  return config
