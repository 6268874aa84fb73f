"""What a data set's file may change of a system."""
import pytest

from configs import base, systems
from swae_jax import errors, networks

GATED = base.options(networks.NETWORKS, 'gated_conv', hidden=7)


def config(system, overrides):
  return systems.get_config('digits', system, overrides)


def test_an_override_may_be_a_whole_section():
  assert 'filters' in config('wae_mmd', {}).network  # An option of dcgan.
  changed = config('wae_mmd', {'wae_mmd': {'network': GATED}})
  assert changed.network.to_dict() == {'name': 'gated_conv', 'hidden': 7}
  changed.network.hidden = 8  # No other config changes with it.
  again = config('wae_mmd', {'wae_mmd': {'network': GATED}})
  assert again.network.hidden == GATED.hidden == 7


def test_the_narrower_override_wins():
  overrides = {'': {'latents': 3}, 'swae': {'latents': 4},
               'swae/reference_code': {'latents': 5, 'system.beta': .1}}
  found = {name: config(name, overrides) for name in (
      'ae', 'swae', 'swae/reference_code')}
  assert [c.latents for c in found.values()] == [3, 4, 5]
  assert [found[name].system.beta for name in (
      'swae', 'swae/reference_code')] == [.5, .1]


@pytest.mark.parametrize('option', ['system.betta', 'latent'])
def test_an_override_of_nothing_is_refused(option):
  with pytest.raises(errors.UserError, match=f'no option .{option}'):
    config('swae', {'swae': {option: 1}})
