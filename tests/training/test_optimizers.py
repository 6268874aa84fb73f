"""Optimizers against float64 numpy, and schedules at single steps."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import errors
from swae_jax.training import build, optimizers

SHAPES = {'kernel': (4, 3), 'bias': (3,)}


def gradients(steps, seed=0):
  """Gradients whose sizes differ between tensors and between steps."""
  rng = np.random.default_rng(seed)
  return [{name: (10. ** rng.uniform(-3, 3) * rng.normal(size=shape)).astype(
      np.float32) for name, shape in SHAPES.items()} for _ in range(steps)]


def updates(tx, grads):
  """The updates that `tx` makes of the gradients, step by step."""
  params = jax.tree.map(jnp.zeros_like, grads[0])
  update, state, found = jax.jit(tx.update), tx.init(params), []
  for g in grads:
    u, state = update(g, state, params)
    found.append(jax.device_get(u))
  return found


def adam(grads, b1, b2, eps):
  """Kingma and Ba, Algorithm 1, in float64."""
  m = v = 0.
  for t, g in enumerate(grads, 1):
    g = g.astype('float64')
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    yield m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)


def adam_norm_grad(grads, b1, b2, eps):
  """Adam on gradients of length one."""
  return adam([g / (np.linalg.norm(g.astype('float64')) + 1e-7)
               for g in grads], b1, b2, eps)


REFERENCES = {'adam': adam, 'adam_norm_grad': adam_norm_grad}


@pytest.mark.parametrize('options', [
    {'b1': .9, 'b2': .999, 'eps': 1e-8}, {'b1': .5, 'b2': .9, 'eps': .1}])
@pytest.mark.parametrize('name', REFERENCES)
def test_adams_against_numpy(name, options):
  grads = gradients(6)
  found = updates(optimizers.OPTIMIZERS[name](.01, **options), grads)
  for tensor in SHAPES:
    expected = REFERENCES[name]([g[tensor] for g in grads], **options)
    for t, e in enumerate(expected):
      np.testing.assert_allclose(found[t][tensor], -.01 * e, rtol=2e-4)


@pytest.mark.parametrize('decay', [.9, .5])
def test_rmsprop_against_numpy(decay):
  grads = gradients(6)
  found = updates(optimizers.rmsprop(.01, decay=decay, eps=.1), grads)
  for tensor in SHAPES:
    v = 0.
    for t, g in enumerate(g[tensor].astype('float64') for g in grads):
      v = decay * v + (1 - decay) * g**2
      np.testing.assert_allclose(
          found[t][tensor], -.01 * g / (np.sqrt(v) + .1), rtol=1e-4)


def test_normalized_gradients_have_length_one():
  grads, = gradients(1)
  found, = updates(optimizers.normalize_gradients(), [grads])
  for name, g in grads.items():
    g = g.astype('float64')
    np.testing.assert_allclose(
        found[name], g / np.sqrt((g**2).sum()), rtol=1e-4)


def test_a_gradient_of_zero_stays_zero():
  zero = jax.tree.map(np.zeros_like, gradients(1)[0])
  found, = updates(optimizers.normalize_gradients(), [zero])
  jax.tree.map(np.testing.assert_array_equal, found, zero)


@pytest.mark.parametrize('name', optimizers.OPTIMIZERS)
def test_every_optimizer_goes_downhill(name):
  tx = optimizers.OPTIMIZERS[name](.05)
  target = gradients(1, seed=1)[0]
  target = jax.tree.map(lambda x: x / np.abs(x).max(), target)
  loss = lambda p: sum(jnp.sum((p[k] - target[k])**2) for k in p)

  @jax.jit
  def step(params, state):
    u, state = tx.update(jax.grad(loss)(params), state, params)
    return jax.tree.map(jnp.add, params, u), state

  params = jax.tree.map(jnp.zeros_like, target)
  state, start = tx.init(params), loss(params)
  for _ in range(60):
    params, state = step(params, state)
  assert loss(params) < .1 * start


def values(schedule, steps):
  """The learning rate at some steps."""
  if not callable(schedule):
    return [schedule for _ in steps]
  return [float(jax.jit(schedule)(t)) for t in steps]


def test_the_step_schedule_multiplies_at_the_listed_epochs():
  schedule = optimizers.step(.4, 10, epochs=(2, 3, 7), factors=(.5, .25, .5))
  steps = [0, 19, 20, 29, 30, 69, 70, 1000]
  np.testing.assert_allclose(
      values(schedule, steps), [.4, .4, .2, .2, .1, .1, .2, .2], rtol=1e-6)


def test_the_exponential_schedule_falls_smoothly():
  schedule = optimizers.exponential(.4, 10, epochs=5, factor=.01)
  steps = np.array([0, 1, 25, 50, 100])
  np.testing.assert_allclose(
      values(schedule, steps), .4 * .01**(steps / 50), rtol=1e-5)


@pytest.mark.parametrize('name', optimizers.SCHEDULES)
def test_every_schedule_starts_at_the_learning_rate(name):
  found = values(optimizers.SCHEDULES[name](.3, 7), [0, 1, 100 * 7])
  np.testing.assert_allclose(found[:2], .3, rtol=.01)
  assert (found[2] < .3 / 2) == (name != 'constant')


@pytest.mark.parametrize('name', optimizers.OPTIMIZERS)
def test_a_schedule_scales_the_updates(name):
  grads = gradients(9)
  schedule = optimizers.step(.1, 3, epochs=(1, 2), factors=(.5, .05))
  fixed = updates(optimizers.OPTIMIZERS[name](.1), grads)
  found = updates(optimizers.OPTIMIZERS[name](schedule), grads)
  for t, factor in enumerate([1.] * 3 + [.5] * 3 + [.05] * 3):
    for tensor in SHAPES:
      np.testing.assert_allclose(
          found[t][tensor], factor * fixed[t][tensor], rtol=1e-5)


def test_a_config_says_which_schedule():
  section = {'name': 'adam', 'learning_rate': .2,
             'adam': {'b1': 0., 'b2': 0., 'eps': 1e-30},
             'schedule': {'name': 'step', 'step': {
                 'epochs': (2,), 'factors': (.1,)}}}
  ones = jax.tree.map(np.ones_like, gradients(1)[0])
  found = updates(build.optimizer(section, 2), [ones] * 6)
  sizes = [float(np.abs(u['bias']).max()) for u in found]
  np.testing.assert_allclose(sizes, [.2] * 4 + [.02] * 2, rtol=1e-5)


@pytest.mark.parametrize('epochs, factors', [
    ((1, 2), (.5,)), ((2, 1), (.5, .1)), ((2, 2), (.5, .1))])
def test_epochs_of_a_step_schedule_rise_and_have_a_factor_each(epochs, factors):
  with pytest.raises(errors.UserError, match='must rise'):
    optimizers.step(.1, 3, epochs=epochs, factors=factors)
