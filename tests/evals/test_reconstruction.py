import types

import numpy as np
import pytest

from swae_jax.data import base as data_base
from swae_jax.evals import base, reconstruction


def make(images, decode=lambda z: z):
  split = data_base.Split(images, np.zeros(len(images), np.int32))
  return base.View(data_base.to_float, decode, None,
                   types.SimpleNamespace(test=split))


@pytest.mark.parametrize('chunk', [1, 3, 7, 100])
def test_error_is_that_of_a_loop(chunk, monkeypatch):
  monkeypatch.setattr(reconstruction, 'CHUNK', chunk)
  images = np.random.default_rng(0).integers(256, size=(7, 3, 2, 1),
                                             dtype=np.uint8)
  (got,) = reconstruction.run(make(images, lambda z: z ** 2))
  want = sum((v / 255 - (v / 255) ** 2) ** 2
             for v in images.ravel().tolist()) / 7
  assert got.name == 'reconstruction_error' and got.samples == 7
  assert got.value == pytest.approx(want, rel=1e-6)
  assert isinstance(got.value, float)


def test_a_perfect_system_has_no_error():
  images = np.random.default_rng(0).integers(256, size=(5, 2, 2, 3),
                                             dtype=np.uint8)
  assert next(reconstruction.run(make(images))).value == 0


def test_points_are_taken_as_they_are():
  points = np.full((4, 1, 1, 3), 300, np.float32)
  (got,) = reconstruction.run(make(points, lambda z: z - 2))
  assert got == base.Metric('reconstruction_error', 12., 4)
