import jax
import making
import numpy as np

from swae_jax import priors

SHAPE = (2, 3, 1)
X = np.random.default_rng(0).uniform(size=(5, *SHAPE)).astype('float32')


def test_loss_is_the_error_of_the_reconstruction():
  s = making.system('ae', SHAPE, 2, prior=priors.PRIORS['ring']())
  variables = s.init(jax.random.key(0), X)
  loss, _ = making.loss(s, variables, X)
  x_rec = np.float64(s.decode(variables, s.encode(variables, X)))
  np.testing.assert_allclose(
      loss, sum(np.sum((a - b)**2) for a, b in zip(X, x_rec, strict=True)) / 5,
      rtol=1e-5)
  # The prior is sampled, though nothing holds the codes to it.
  z = s.sample(variables, jax.random.key(0), 50)
  np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1., atol=.06)
