"""The training step: what a system is given, and what becomes of the state."""
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from swae_jax.host import mesh
from swae_jax.systems import base
from swae_jax.training import step

LEVELS = np.array([0, 1, 64, 128, 200, 254, 255], np.uint8)


def system(loss, players=('model',), stats=None):
  """A system of one number for each player."""
  def init(key, x):
    del key, x
    return base.Variables({p: {'w': jnp.zeros(())} for p in players},
                          stats or {})
  return base.System(init, loss, None, None, None)


def show(variables, x, key, number):
  """Tells what it was given, as metrics."""
  loss = variables.params['model']['w'] + 0. * jnp.sum(x)
  return loss, (variables.stats, {
      'loss': loss, 'x': x, 'step': number, 'key': jax.random.key_data(key)})


class Trainer:
  """The compiled step of a system on some images, and its state."""

  def __init__(self, system, images, tx=None, seed=0, devices=1, **options):
    tx = step.optimizer(tx or {'model': optax.sgd(.1)})
    self.mesh = mesh.make(devices)
    everywhere, spread = mesh.everywhere(self.mesh), mesh.spread(self.mesh)
    self.step = step.make(system, tx, everywhere, spread, **options)
    self.state = self.start = mesh.fetch(
        jax.jit(lambda: step.init(
            system, tx, jax.random.key(seed), None))())
    self.images = mesh.put(images, everywhere)

  def __call__(self, indices, state=None):
    """Takes a step; returns its metrics."""
    there = mesh.put(state or self.state, mesh.everywhere(self.mesh))
    indices = mesh.put(np.asarray(indices, np.int32), mesh.spread(self.mesh))
    state, metrics = self.step(there, self.images, indices)
    self.state = mesh.fetch(state)
    return mesh.fetch(metrics)


def greys(side=64):
  """An image of each of LEVELS."""
  return np.broadcast_to(LEVELS[:, None, None, None], (7, side, side, 1)).copy()


def test_grey_images_are_the_bytes_over_255():
  images = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
  indices = np.random.default_rng(0).permutation(256)
  x = Trainer(system(show), images)(indices)['x']
  assert x.dtype == np.float32
  exact = images[indices] / 255.
  # XLA may divide by a constant as it likes, but the ends are exact.
  np.testing.assert_array_max_ulp(x, exact.astype(np.float32), maxulp=1)
  np.testing.assert_array_equal(x[exact % 1 == 0], exact[exact % 1 == 0])


def test_vectors_are_taken_as_they_are():
  images = np.random.default_rng(0).normal(size=(9, 1, 1, 3))
  images = images.astype(np.float32)
  x = Trainer(system(show), images)([4, 4, 0])['x']
  np.testing.assert_array_equal(x, images[[4, 4, 0]])


def test_binarised_images_have_the_means_of_the_greys():
  x = Trainer(system(show), greys(), binarize=True)(range(7))['x']
  assert set(np.unique(x)) == {0., 1.}
  p = LEVELS / 255
  error = np.abs(x.mean((1, 2, 3)) - p)
  assert (error <= 5 * np.sqrt(p * (1 - p) / 64**2)).all()
  # Pixels and images are drawn apart.
  assert 0 < x[3, 0].mean() < 1 and 0 < x[3, :, 0].mean() < 1
  x = Trainer(system(show), greys(), binarize=True)([3, 3])['x']
  assert .4 < (x[0] != x[1]).mean() < .6


def test_binarised_images_are_drawn_afresh_at_each_step():
  train = Trainer(system(show), greys(), binarize=True)
  first, second = train([3])['x'], train([3])['x']
  assert .4 < (first != second).mean() < .6
  other = Trainer(system(show), greys(), seed=1, binarize=True)([3])['x']
  assert .4 < (first != other).mean() < .6


def test_a_step_is_a_function_of_the_seed_and_its_number():
  one = Trainer(system(show), greys(8), binarize=True)
  seen = [one([2, 3, 4]) for _ in range(6)]
  two = Trainer(system(show), greys(8), binarize=True)
  later = two.start._replace(step=np.int32(5))
  for found, expected in ((two([2, 3, 4]), seen[0]),
                          (two([2, 3, 4], later), seen[5])):
    for name in ('x', 'key'):
      np.testing.assert_array_equal(found[name], expected[name])
  keys = {tuple(m['key']) for m in seen}
  keys.add(tuple(Trainer(system(show), greys(8), seed=1)([0])['key']))
  assert len(keys) == 7


def test_the_loss_has_noise_of_its_own():
  m = Trainer(system(show), greys(), binarize=True)([3])
  key = jax.random.wrap_key_data(m['key'])
  again = jax.random.bernoulli(key, jnp.full_like(m['x'], 128 / 255))
  assert .4 < (m['x'] != again).mean() < .6


def test_the_counter_counts_and_the_key_stays():
  train = Trainer(system(show), greys(2))
  start = train.start.key.copy()
  for number in range(4):
    assert train.state.step == number and train.state.step.dtype == np.int32
    assert train([0])['step'] == number
    np.testing.assert_array_equal(train.state.key, start)
  assert train.state.step == 4


def test_noise_does_not_depend_on_the_number_of_devices():
  one, eight = (Trainer(system(show), greys(8), binarize=True, devices=n)
                for n in (1, 8))
  indices = [3] * 16
  for _ in range(2):
    a, b = one(indices), eight(indices)
    for name in ('x', 'key'):
      np.testing.assert_array_equal(a[name], b[name])


def game(variables, x, key, number):
  """Each player has a goal of its own."""
  del x, key, number
  a, b = (variables.params[p]['w'] for p in 'ab')
  loss = (a - 1)**2 + 3 * (b - 2)**2
  return loss, (variables.stats, {'loss': loss})


@pytest.mark.parametrize('rates, expected', [
    ({'a': 0., 'b': .1}, (0., 1.2)), ({'a': .1, 'b': 0.}, (.2, 0.)),
    ({'a': .1, 'b': .01}, (.2, .12))])
def test_each_player_has_its_own_optimizer(rates, expected):
  train = Trainer(system(game, 'ab'), greys(2),
                  {p: optax.sgd(rate) for p, rate in rates.items()})
  assert train([0])['loss'] == 13.
  params = train.state.variables.params
  np.testing.assert_allclose([params[p]['w'] for p in 'ab'], expected,
                             rtol=1e-6)


def test_players_can_have_optimizers_of_different_kinds():
  train = Trainer(system(game, 'ab'), greys(2),
                  {'a': optax.adam(.1), 'b': optax.sgd(.1, momentum=.5)})
  for _ in range(2):
    train([0])
  params = train.state.variables.params
  # Adam's steps are of the learning rate; momentum: 1.2, then .48 + .6.
  np.testing.assert_allclose(params['a']['w'], .2, rtol=1e-2)
  np.testing.assert_allclose(params['b']['w'], 2.28, rtol=1e-6)


def test_the_loss_leaves_the_statistics():
  def loss(variables, x, key, number):
    del key, number
    mean = .5 * variables.stats['mean'] + jnp.mean(x)
    value = variables.params['model']['w'] * mean
    return value, ({'mean': mean}, {'loss': value})

  train = Trainer(system(loss, stats={'mean': jnp.zeros(())}),
                  np.full((2, 1, 1, 1), 4., np.float32))
  train([0])
  train([1])
  assert train.state.variables.stats['mean'] == 6.
  np.testing.assert_allclose(train.state.variables.params['model']['w'],
                             -.1 * (4. + 6.), rtol=1e-6)


def noisy(variables, x, key, number):
  """Depends on the parameters, on the data and on noise."""
  del number
  loss = (variables.params['model']['w'] + jnp.mean(x)
          + jax.random.normal(key, ()))
  return loss, (variables.stats, {'loss': loss})


def test_validation_has_noise_of_its_own_that_stays_the_same():
  train = Trainer(system(noisy), greys(2))
  everywhere, spread = mesh.everywhere(train.mesh), mesh.spread(train.mesh)
  valid = step.make_valid(system(noisy), everywhere, spread)
  state = mesh.put(train.start, everywhere)
  indices = mesh.put(np.arange(3, dtype=np.int32), spread)
  ask = lambda state, i: float(valid(state, train.images, indices, i))
  losses = [ask(state, i) for i in range(4)]
  assert len(set(losses)) == 4
  later = mesh.put(train.start._replace(step=np.int32(9)), everywhere)
  assert [ask(later, i) for i in range(4)] == losses
  trained = [float(train([0, 1, 2], train.start._replace(step=np.int32(t)))[
      'loss']) for t in range(4)]
  assert not set(trained) & set(losses)
  assert not state.step.is_deleted()


def test_validation_takes_no_key_from_the_training():
  tell = lambda variables, x, key, number: (
      jax.random.key_data(key), ({}, {}))
  train = Trainer(system(show), greys(2))
  everywhere, spread = mesh.everywhere(train.mesh), mesh.spread(train.mesh)
  valid = step.make_valid(system(tell), everywhere, spread)
  state = mesh.put(train.start, everywhere)
  indices = mesh.put(np.arange(3, dtype=np.int32), spread)
  keys = {tuple(np.asarray(valid(state, train.images, indices, i)))
          for i in range(4)}
  key = jax.random.wrap_key_data(train.start.key)
  steps = jax.vmap(lambda t: jax.random.key_data(jax.random.fold_in(key, t)))(
      jnp.arange(100))
  assert len(keys) == 4 and not keys & set(map(tuple, np.asarray(steps)))
