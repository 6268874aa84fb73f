import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import errors
from swae_jax.networks import NETWORKS
from swae_jax.systems import SYSTEMS, base

N, D, SHAPE = 6, 3, (2, 3, 1)
RNG = np.random.default_rng(0)
X = RNG.uniform(size=(N, *SHAPE)).astype('float32')
Z = RNG.normal(size=(N, D)).astype('float32')


def build(**options):
  return SYSTEMS['wae_mmd'](
      NETWORKS['mlp'](SHAPE, hidden=8), lambda key, n, d: jnp.asarray(Z),
      base.Spec(SHAPE, True, 10), D, **options)


@functools.cache
def initial():
  return build().init(jax.random.key(0), X)


def algorithm_2(x, x_rec, codes, z, kernel, weight, scale):
  """Term by term, in float64."""
  k = lambda a, b: kernel(np.sum((np.float64(a) - b)**2))
  pairs = [(i, j) for i in range(N) for j in range(N)]
  within = lambda s: sum(
      k(s[i], s[j]) for i, j in pairs if i != j) / (N * (N - 1))
  between = sum(k(z[i], codes[j]) for i, j in pairs) / N**2
  error = sum(np.sum((np.float64(a) - b)**2)
              for a, b in zip(x, x_rec, strict=True)) / N
  return scale * error + weight * (
      within(z) + within(codes) - 2 * between)


KERNELS = {
    'imq': lambda c: lambda d2: c / (c + d2),
    'imq_multiscale': lambda c: lambda d2: sum(
        s * c / (s * c + d2) for s in (.1, .2, .5, 1, 2, 5, 10)),
    'rbf': lambda c: lambda d2: np.exp(-d2 / c)}


@pytest.mark.parametrize('kernel', KERNELS)
@pytest.mark.parametrize('variance, scale', [(1., 1.), (2., .05)])
def test_loss(kernel, variance, scale):
  o = build(kernel=kernel, weight=7., prior_variance=variance,
            reconstruction_scale=scale)
  variables = initial()
  codes = o.encode(variables, X)
  loss, _ = jax.jit(o.loss)(variables, X, jax.random.key(1), 0)
  reference = algorithm_2(
      X, o.decode(variables, codes), codes, Z,
      KERNELS[kernel](2 * D * variance), 7., scale)
  np.testing.assert_allclose(loss, reference, rtol=1e-5, atol=1e-5)


def test_unknown_kernel():
  with pytest.raises(errors.UserError, match='imq, imq_multiscale, rbf'):
    build(kernel='linear')
