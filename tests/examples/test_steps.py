"""One step on eight devices is that of one, and training lowers the loss."""
import jax
import numpy as np
import pytest

from examples import data_parallel, gradient_step


def start(batch=32):
  """params, x, z_prior, theta."""
  data_key, init_key, key = jax.random.split(jax.random.key(0), 3)
  x = jax.random.normal(data_key, (batch, 6))
  return jax.device_get((gradient_step.init(init_key, 6, 3), x,
                         *gradient_step.draw(key, batch, 3)))


@pytest.mark.parametrize('name', data_parallel.STEPS)
def test_eight_devices_step_like_one(name):
  with jax.enable_x64(True):
    args = jax.tree.map(np.float64, start())
    one = jax.device_get(gradient_step.step(*args))
    eight = jax.device_get(data_parallel.STEPS[name](jax.devices())(*args))
  for a, b in zip(*map(jax.tree.leaves, (one, eight)), strict=True):
    np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)
  moved = one[0]['encoder'] - args[0]['encoder']
  assert np.abs(moved).max() > 1e-3


def test_the_step_follows_the_gradient():
  """By finite differences along one random direction."""
  with jax.enable_x64(True):
    params, *rest = jax.tree.map(np.float64, start())
    new, value = gradient_step.step(params, *rest)
    rng = np.random.default_rng(0)
    way = jax.tree.map(lambda p: rng.normal(size=p.shape), params)
    at = lambda t: gradient_step.loss(
        jax.tree.map(lambda p, w: p + t * w, params, way), *rest)
    slope = (at(1e-6) - at(-1e-6)) / 2e-6
    step = sum(np.sum(w * (p - n)) for w, p, n in zip(
        *map(jax.tree.leaves, (way, params, new)), strict=True))
    np.testing.assert_allclose(step / gradient_step.RATE, slope, rtol=1e-5)
    np.testing.assert_allclose(value, at(0.), rtol=1e-10)


def test_main_lowers_the_loss(capsys):
  gradient_step.main()
  first, *_, last = [float(line.split()[-1])
                     for line in capsys.readouterr().out.splitlines()]
  assert last < first / 2


def test_main_prints_one_loss_for_all(capsys):
  data_parallel.main()
  values = [line.split()[-1] for line in capsys.readouterr().out.splitlines()]
  assert len(values) == 4 and len(set(values)) == 1
