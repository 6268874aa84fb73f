import numpy as np
import pytest

from swae_jax.evals import linear_probe
import views


def make(scale=1., encode=None):
  """Codes of two axes; noise hides the class."""
  rng = np.random.default_rng(0)
  noisy = lambda n: (rng.normal(size=(n, 1, 1, 2)) + .8 * (
      np.arange(n) % 3)[:, None, None, None]).astype(np.float32)
  train, test = noisy(60), noisy(50)
  data = views.dataset(test, train, classes=3, bounded=False)
  return views.view(data, encode or (
      lambda x: x.reshape(len(x), -1) * np.float32(scale)))


def reference(view):
  """Accuracy of the minimum, by scipy, of the regularised likelihood."""
  from scipy import optimize, special
  z, y = np.float64(view.encode(view.data.train.images)), view.data.train.labels
  mean, std = z.mean(0), z.std(0)
  z = (z - mean) / std
  split = lambda v: (v[:6].reshape(2, 3), v[6:])

  def cost(v):
    w, b = split(v)
    logits = z @ w + b
    fit = special.logsumexp(logits, 1) - logits[np.arange(len(y)), y]
    return fit.sum() + .5 * (w**2).sum()

  w, b = split(optimize.minimize(cost, np.zeros(9)).x)
  test = (np.float64(view.encode(view.data.test.images)) - mean) / std
  return np.mean((test @ w + b).argmax(1) == view.data.test.labels)


@pytest.mark.parametrize('scale', [1., 1e-4, 1e4])
def test_accuracy_is_that_of_the_optimum_in_any_units(scale):
  (got,) = linear_probe.run(make(scale))
  want = reference(make())
  assert got.name == 'linear_probe_accuracy' and got.samples == 50
  assert .4 < want < .9 and got.value == pytest.approx(want, abs=1e-12)
  assert got.protocol.startswith('converged in ')


def test_codes_that_a_plane_parts_are_told_without_fault():
  view = make()
  classes = {x.tobytes(): y for split in (view.data.train, view.data.test)
             for x, y in zip(split.images, split.labels, strict=True)}
  one_hot = lambda x: np.float32(np.eye(3)[[classes[i.tobytes()] for i in x]])
  (got,) = linear_probe.run(view._replace(encode=one_hot))
  assert got.value == 1


def test_the_protocol_says_that_steps_were_too_few():
  (got,) = linear_probe.run(make(), max_iter=1)
  assert got.protocol == 'not converged in 1 steps, set max_iter higher'
  assert np.isfinite(got.value)
