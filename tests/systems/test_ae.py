import jax
import numpy as np

from swae_jax import priors
from swae_jax.networks import NETWORKS
from swae_jax.systems import SYSTEMS, base

SHAPE = (2, 3, 1)
X = np.random.default_rng(0).uniform(size=(5, *SHAPE)).astype('float32')


def test_loss_is_the_error_of_the_reconstruction():
  o = SYSTEMS['ae'](NETWORKS['mlp'](SHAPE, hidden=8), priors.ring,
                       base.Spec(SHAPE, True, 10), 2)
  variables = o.init(jax.random.key(0), X)
  loss, _ = jax.jit(o.loss)(variables, X, jax.random.key(1), 0)
  x_rec = np.float64(o.decode(variables, o.encode(variables, X)))
  np.testing.assert_allclose(
      loss, sum(np.sum((a - b)**2) for a, b in zip(X, x_rec, strict=True)) / 5,
      rtol=1e-5)
  # What is sampled is the given prior, though nothing is held to it.
  z = o.sample(variables, jax.random.key(0), 50)
  np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1., atol=.06)
