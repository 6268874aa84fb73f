"""The cost of importing the losses, and the names that they offer."""
import subprocess
import sys

from swae_jax import losses


def test_losses_and_priors_need_only_jax():
  code = '''
import sys, swae_jax
assert 'swae_jax.losses' not in sys.modules
swae_jax.losses, swae_jax.priors
heavy = {'flax', 'optax', 'orbax', 'chex', 'ml_collections', 'scipy.stats',
         'matplotlib', 'tensorflow', 'torch', 'sklearn'}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
'''
  subprocess.run([sys.executable, '-c', code], check=True)


def test_every_name_is_documented():
  for name in losses.__all__:
    assert getattr(losses, name).__doc__, name
