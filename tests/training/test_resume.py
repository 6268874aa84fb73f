"""Every option has a class, and the classes mean what they say."""
import pytest

from swae_jax.training import config as config_lib
from swae_jax.training import resume


def test_every_option_has_a_class():
  for option in config_lib.flat(config_lib.defaults().to_dict()):
    assert resume.kind(option) is not None, option


def test_changes_name_nested_options():
  old = {'a': {'b': 1, 'c': [1, 2]}, 'd': 'x'}
  new = {'a': {'b': 2, 'c': (1, 2)}, 'e': 0}
  assert resume.compare(old, new) == {
      'a.b': (1, 2), 'd': ('x', None), 'e': (None, 0)}


@pytest.mark.parametrize('option, kind', [
    ('train.new_thing', None), ('new_section.name', None), ('seeds', None),
    ('system.name', 'structural'), ('system.swae.beta', 'trajectory'),
    ('penalty.name', 'trajectory'), ('network.mlp.hidden', 'structural'),
    ('optimizers.critic.schedule.name', 'structural'),
    ('optimizers.critic.learning_rate', 'trajectory'),
    ('data.dir', 'harmless'), ('data.folder.size', 'structural'),
    ('data.mnist.binarize', 'trajectory'),
    ('evals.knn.run', 'harmless'), ('train.epochs', 'length')])
def test_the_first_pattern_that_fits_counts(option, kind):
  assert resume.kind(option) == kind


def test_a_list_in_json_is_the_tuple_that_it_was():
  new = {'a': {'b': (1, 2)}, 'c': 3}
  assert resume.compare({'a': {'b': [1, 2]}, 'c': 3}, new) == {}
  assert resume.compare({'a': {'b': [1]}}, new) == {
      'a.b': ([1], [1, 2]), 'c': (None, 3)}
