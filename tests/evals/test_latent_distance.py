import jax
import numpy as np
import pytest

from swae_jax import priors
from swae_jax.evals import latent_distance
import views

D = 3


def normals(n, seed):
  return np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)


def make(n=20, shift=0., scale=1., draw=None):
  """The code of an image is the image, up to a shift and a scale."""
  data = views.dataset(normals(n, 0)[:, None, None], bounded=False)
  return views.view(data, lambda x: scale * (x.reshape(len(x), D)
                                             + np.float32(shift)),
                    sample=lambda m: scale * normals(m, 1), draw=draw)


def found(view, **options):
  return views.numbers(latent_distance.run(view, **options))


def sliced(x, y, theta):
  """Mean over directions of the mean squared gap of the sorted values."""
  x, y, theta = map(np.float64, (x, y, theta))
  return np.mean([np.mean((np.sort(x @ t) - np.sort(y @ t)) ** 2)
                  for t in theta])


def mmd(x, y, scale):
  """Means of the kernel over pairs, by loops."""
  kernel = lambda a, b: scale / (scale + ((np.float64(a) - b) ** 2).sum())
  within = lambda s: np.mean([kernel(s[i], s[j]) for i in range(len(s))
                              for j in range(len(s)) if i != j])
  return within(x) + within(y) - 2 * np.mean(
      [kernel(a, b) for a in x for b in y])


def test_values_are_those_of_loops():
  view = make(shift=.3)
  got = found(view, directions=7)
  z, samples = view.encode(view.data.test.images), view.sample(40)
  first, second = samples[:20], samples[20:]
  theta = priors.directions(jax.random.key(0), 7, D)
  scale = 2 * np.trace(np.cov(second.T, bias=True))
  want = {
      'latent_sliced_wasserstein_n20': sliced(z, second, theta),
      'latent_mmd': mmd(z, second, scale),
      'prior_sliced_wasserstein_n20': sliced(first, second, theta),
      'prior_mmd': mmd(first, second, scale)}
  assert got == pytest.approx(want, rel=1e-4, abs=1e-6)


def test_codes_of_the_prior_reach_the_floor_and_others_do_not():
  near, far = found(make(500)), found(make(500, shift=1.))
  floor = near['prior_sliced_wasserstein_n500']
  assert near['latent_sliced_wasserstein_n500'] < 3 * floor
  # W_2^2 of a shift along a direction is its square: |shift|^2 / D on average.
  np.testing.assert_allclose(far['latent_sliced_wasserstein_n500'], 1., atol=.2)
  assert abs(near['latent_mmd']) < .01 < far['latent_mmd'] / 5


def test_codes_are_draws_where_the_encoder_is_random():
  drawn = found(make(draw=lambda x: normals(len(x), 1)))
  same = found(make())
  assert drawn['prior_mmd'] == same['prior_mmd']
  assert drawn['latent_mmd'] != same['latent_mmd']
  assert drawn['latent_sliced_wasserstein_n20'] > .05


def test_units_of_the_code_do_not_matter_to_mmd():
  np.testing.assert_allclose(
      found(make(shift=.5, scale=100))['latent_mmd'],
      found(make(shift=.5))['latent_mmd'], rtol=1e-3)


def test_number_of_points():
  metrics = list(latent_distance.run(make(), points=9, directions=2))
  assert {m.samples for m in metrics} == {9}
  assert metrics[0].name == 'latent_sliced_wasserstein_n9'
  assert metrics[0].protocol == 'mean of W_2^2 over 2 directions'
  assert list(latent_distance.run(make(1))) == []
