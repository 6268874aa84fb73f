import types

import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, linear_probe

pytest.importorskip('sklearn')


def make(n=60, m=50, classes=3, binarize=False, scale=1., encode=None):
  """Two axes of which noise hides the class, codes scaled by `scale`."""
  rng = np.random.default_rng(0)

  def split(size):
    labels = np.arange(size, dtype=np.int32) % classes
    images = rng.normal(size=(size, 1, 1, 2)) + .8 * labels[:, None, None, None]
    return data_base.Split(images.astype(np.float32), labels)

  flat = lambda x: x.reshape(len(x), -1) * np.float32(scale)
  data = types.SimpleNamespace(train=split(n), test=split(m), classes=classes,
                               binarize=binarize)
  return base.View(encode or flat, None, None, data)


def reference(view):
  """Accuracy of what scipy finds to minimise the regularised likelihood."""
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


def test_accuracy_is_that_of_the_optimum():
  (got,) = linear_probe.run(make())
  want = reference(make())
  assert got.name == 'linear_probe_accuracy' and got.samples == 50
  assert .4 < want < .9 and got.value == pytest.approx(want, abs=1e-12)
  assert got.protocol.startswith('converged in ')


def test_units_of_the_code_do_not_matter():
  small, large = (
      next(linear_probe.run(make(scale=scale))).value for scale in (1e-4, 1e4))
  assert small == large == next(linear_probe.run(make())).value


def test_codes_that_a_plane_parts_are_told_without_fault():
  view = make()
  classes = {x.tobytes(): y for split in (view.data.train, view.data.test)
             for x, y in zip(split.images, split.labels, strict=True)}
  one_hot = lambda x: np.float32(np.eye(3)[[classes[i.tobytes()] for i in x]])
  (got,) = linear_probe.run(view._replace(encode=one_hot))
  assert got.value == 1


def test_too_few_steps_are_told():
  (got,) = linear_probe.run(make(), max_iter=1)
  assert got.protocol == 'not converged in 1 steps, set max_iter higher'
  assert np.isfinite(got.value)


def test_binary_training_images_are_drawn_once():
  seen = []

  def encode(x):
    seen.append(x)
    return data_base.to_float(x).reshape(len(x), -1)

  view = make(binarize=True, encode=encode)
  grey = np.random.default_rng(0).integers(256, size=(60, 1, 1, 2))
  view.data.train = view.data.train._replace(images=grey.astype(np.uint8))
  list(linear_probe.run(view))
  np.testing.assert_array_equal(seen[0], data_base.fixed_train(view.data))


def test_nothing_for_data_of_one_class():
  assert list(linear_probe.run(make(classes=1))) == []


def test_codes_that_are_not_finite_have_no_accuracy():
  (got,) = linear_probe.run(make(encode=lambda x: np.full((len(x), 2), np.inf)))
  assert np.isnan(got.value)


def test_no_steps_are_refused():
  with pytest.raises(errors.UserError, match='max_iter=0: ask for at least 1'):
    list(linear_probe.run(make(), max_iter=0))
