"""Every option has a class, and the classes mean what they say."""
import pytest

from configs import base, systems
from swae_jax import data
from swae_jax.training import resume

DATASETS = sorted(data.DATASETS)


def options(config):
  return resume.compare({}, config.to_dict())


def all_options():
  found = {}
  for system in systems.SYSTEMS:
    found |= options(systems.get_config('digits', system))
  for name in DATASETS:
    found |= options(base.get_config(name))
  return found


@pytest.mark.parametrize('option', sorted(all_options()))
def test_every_option_has_a_class(option):
  assert resume.kind(option) is not None


def test_an_option_that_nobody_has_thought_of_has_none():
  assert resume.kind('train.new_thing') is None
  assert resume.kind('new_section.name') is None
  assert resume.kind('seeds') is None


@pytest.mark.parametrize('option,kind', [
    ('system.name', 'structural'), ('system.beta', 'trajectory'),
    ('optimizers.critic.schedule.name', 'structural'),
    ('optimizers.critic.learning_rate', 'trajectory'),
    ('data.dir', 'harmless'), ('data.size', 'structural'),
    ('evals.knn.run', 'harmless'), ('train.epochs', 'length')])
def test_the_first_pattern_counts(option, kind):
  assert resume.kind(option) == kind

