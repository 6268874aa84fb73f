from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import priors
from swae_jax.evals import base, likelihood
from swae_jax.networks import NETWORKS
from swae_jax.networks import base as networks_base
from swae_jax.systems import SYSTEMS
from swae_jax.systems import base as systems_base
import views

N, D, SHAPE, SCALE = 7, 2, (1, 3, 1), .5
RNG = np.random.default_rng(0)
# The columns are orthogonal, so the posterior is a diagonal normal law.
W = np.linalg.qr(RNG.normal(size=(3, D)))[0] * [[1.5, .4]]
MEAN = RNG.normal(size=3)
X = RNG.normal(size=(N, *SHAPE)).astype('float32')
PRECISION = 1 + np.sum(W**2, axis=0) / SCALE**2


class Linear(nn.Module):
  """A linear layer for each output."""
  shapes: tuple

  @nn.compact
  def __call__(self, x, train=False):
    del train
    x = x.reshape(len(x), -1)
    return tuple(nn.Dense(np.prod(s))(x).reshape(-1, *s) for s in self.shapes)


NETWORK = networks_base.Network(
    lambda *widths: Linear(tuple((w,) for w in widths)),
    lambda *channels: Linear(tuple((*SHAPE[:2], c) for c in channels)))
SYSTEM = SYSTEMS['vae'](
    NETWORK, priors.normal(), systems_base.Spec(SHAPE, False, False, 10), D,
    likelihood='gaussian', scale=SCALE, logvar_min=-9.)


def variables(shift=0., logvar=0.):
  """x = W z + MEAN + noise, and its posterior, moved and widened."""
  layer = lambda kernel, bias: {'kernel': jnp.float32(kernel),
                                'bias': jnp.float32(bias)}
  mean = W / PRECISION[None] / SCALE**2
  return systems_base.Variables({'model': {
      'encoder': {
          'Dense_0': layer(mean, shift - MEAN @ mean),
          'Dense_1': layer(0 * mean, logvar - np.log(PRECISION))},
      'decoder': {'Dense_0': layer(W.T, MEAN)}}}, {})


def evidence():
  """log N(x; MEAN, W W^T + SCALE^2 I)."""
  covariance = W @ W.T + SCALE**2 * np.eye(3)
  residual = np.float64(X).reshape(N, 3) - MEAN
  return -.5 * (np.einsum('ni,ij,nj->n', residual, np.linalg.inv(covariance),
                          residual)
                + np.log(np.linalg.det(2 * np.pi * covariance)))


def make(batch_size=20, seed=0, **options):
  return base.view(SYSTEM, variables(**options), views.dataset(X),
                   jax.random.key(seed), batch_size)


def found(view, **options):
  metrics = list(likelihood.run(view, **options))
  return views.numbers(metrics), {m.samples for m in metrics}


def test_the_right_posterior_needs_one_sample():
  values, counts = found(make(), samples=1)
  np.testing.assert_allclose(
      list(values.values()), np.full(2, evidence().mean()), rtol=1e-5)
  assert values.keys() == {'log_likelihood_is1', 'elbo'} and counts == {N}


def test_another_posterior_needs_many():
  """And its bound is low by the KL to the right one."""
  shift, logvar, samples = .3, .5, 3000
  values, _ = found(make(500, shift=shift, logvar=logvar), samples=samples)
  exact = evidence().mean()
  kl = .5 * np.sum(shift**2 * PRECISION + np.exp(logvar) - 1 - logvar)
  assert kl > .5
  np.testing.assert_allclose(values['elbo'], exact - kl, atol=.04)
  np.testing.assert_allclose(
      values[f'log_likelihood_is{samples}'], exact, atol=.01)
  few, _ = found(make(500, shift=shift, logvar=logvar), samples=10)
  assert exact - kl < few['log_likelihood_is10'] < exact + .05


@pytest.mark.parametrize('samples, batch', [(1, 4), (3, 4), (4, 4), (9, 4),
                                            (3, 100)])
def test_weights_come_as_many_as_asked(samples, batch):
  view = make(batch, logvar=.5)
  weights = view.log_weights(X, samples)
  assert weights.shape == (samples, N)
  assert len(np.unique(weights)) == samples * N
  np.testing.assert_array_equal(weights, view.log_weights(X, samples))
  assert not np.any(weights == make(batch, 1, logvar=.5).log_weights(
      X, samples))


def test_images_have_noise_of_their_own():
  """The same image many times gives independent weights."""
  view = make(4, logvar=1.)
  weights = view.log_weights(np.repeat(X[:1], 60, 0), 60)
  assert len(np.unique(weights)) > 3590
  rows = weights - weights.mean(1, keepdims=True)
  correlation = np.corrcoef(rows.T) - np.eye(60)
  assert abs(correlation.mean()) < .02 and abs(correlation).max() < .7


def test_number_of_images():
  view = make()
  values, counts = found(view, images=3, samples=1)
  assert counts == {3}
  np.testing.assert_allclose(values['elbo'], evidence()[:3].mean(), rtol=1e-5)
  assert found(view, images=0, samples=1)[1] == {N}


def test_nothing_without_densities():
  system = SYSTEMS['ae'](
      NETWORKS['mlp'](SHAPE), priors.normal(),
      systems_base.Spec(SHAPE, False, False, 10), D)
  view = base.view(system, None, None, jax.random.key(0))
  assert view.log_weights is None and not list(likelihood.run(view))
