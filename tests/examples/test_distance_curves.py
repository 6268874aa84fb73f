import sys

import jax
import numpy as np
import pytest

pytest.importorskip('matplotlib')

from examples import distances  # noqa: E402

TAU = np.float32([-2.5, -1., -.4, .1, .7, 1.3])


def value_and_grad(of):
  return jax.jit(jax.vmap(jax.value_and_grad(of)))(TAU)


def test_transport_costs_the_way():
  value, slope = value_and_grad(distances.w1)
  np.testing.assert_allclose(value, np.abs(TAU), rtol=1e-4)
  np.testing.assert_allclose(slope, np.sign(TAU), rtol=1e-4)


def test_divergence_is_that_of_an_integral():
  """By the midpoint rule over [-4, 4]."""
  x = np.linspace(-4, 4, 80001)[:-1] + 5e-5

  def kl(p, q):
    inside = p > 0
    return np.sum(p[inside] * np.log(p[inside] / q[inside])) * 1e-4

  for tau in TAU.astype(float):
    p, q = (np.float64(abs(x - shift) < .5) for shift in (0, tau))
    want = kl(p, (p + q) / 2) + kl(q, (p + q) / 2)
    np.testing.assert_allclose(distances.jensen_shannon(tau), want, atol=1e-3)


def test_divergence_has_no_gradient_without_overlap():
  _, slope = value_and_grad(distances.jensen_shannon)
  np.testing.assert_allclose(
      slope[np.abs(TAU) != 1] / np.log(4), [0, -1, 1, 1, 0], rtol=1e-6)


def test_picture_is_written(tmp_path, monkeypatch):
  path = tmp_path / 'curve.png'
  monkeypatch.setattr(sys, 'argv', ['distances', f'--output={path}'])
  distances.main()
  assert path.read_bytes().startswith(b'\x89PNG')
