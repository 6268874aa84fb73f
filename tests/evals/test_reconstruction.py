import types

import numpy as np
import pytest

from swae_jax import errors
from swae_jax.data import base as data_base
from swae_jax.evals import base, reconstruction, ssim


def make(images, decode=lambda z: z, bounded=True, **splits):
  split = data_base.Split(images, np.zeros(len(images), np.int32))
  return base.View(data_base.to_float, decode, None, types.SimpleNamespace(
      test=split, bounded=bounded, **splits))


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
  (got,) = reconstruction.run(make(points, lambda z: z - 2, bounded=False))
  assert got == base.Metric('reconstruction_error', 12., 4)


def random(n, size, seed=0):
  return np.random.default_rng(seed).integers(
      256, size=(n, size, size, 1), dtype=np.uint8)


@pytest.mark.parametrize('chunk', [2, 100])
def test_likeness_is_a_mean_over_the_images(chunk, monkeypatch):
  monkeypatch.setattr(reconstruction, 'CHUNK', chunk)
  images = random(5, 12)
  _, got = reconstruction.run(make(images, lambda z: z ** 2))
  x = data_base.to_float(images)
  want = np.mean([ssim.ssim(a[None], a[None] ** 2) for a in x])
  assert got.name == 'reconstruction_ssim' and got.samples == 5
  assert got.value == pytest.approx(want, rel=1e-6) and .1 < want < .99


@pytest.mark.parametrize('size, bounded', [(10, True), (12, False)])
def test_no_likeness_of_small_images_or_of_other_values(size, bounded):
  found = reconstruction.run(make(random(3, size), bounded=bounded))
  assert [m.name for m in found] == ['reconstruction_error']


@pytest.mark.parametrize('split, suffix', [
    ('test', ''), ('valid', '_valid'), ('train', '_train')])
def test_a_split_is_part_of_the_name(split, suffix):
  of = lambda images: data_base.Split(images, np.zeros(len(images), np.int32))
  view = make(random(3, 2, 0), lambda z: z / 2, binarize=True,
              valid=of(random(4, 2, 1)), train=of(random(5, 2, 2)))
  (got,) = reconstruction.run(view, split=split)
  assert got.name == f'reconstruction_error{suffix}' and got.split == split
  images = {'test': view.data.test.images, 'valid': view.data.valid.images,
            'train': data_base.fixed_train(view.data)}[split]
  assert got.samples == len(images)
  want = np.sum((images / 510) ** 2) / len(images)
  assert got.value == pytest.approx(want, rel=1e-6)


def test_unknown_split_is_refused():
  with pytest.raises(errors.UserError, match="split='dev': choose one of"):
    list(reconstruction.run(make(random(2, 2)), split='dev'))
