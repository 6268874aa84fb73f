import numpy as np
import pytest

from swae_jax.data import base as data_base
from swae_jax.evals import base, reconstruction, ssim
import views


@pytest.mark.parametrize('chunk', [1, 3, 7, 100])
def test_error_is_that_of_a_loop(chunk, monkeypatch):
  monkeypatch.setattr(reconstruction, 'CHUNK', chunk)
  images = views.random(7, (3, 2, 1))
  (got,) = reconstruction.run(views.view(images, decode=lambda z: z ** 2))
  want = sum((v / 255 - (v / 255) ** 2) ** 2
             for v in images.ravel().tolist()) / 7
  assert got.name == 'reconstruction_error' and got.samples == 7
  assert got.value == pytest.approx(want, rel=1e-6)
  assert isinstance(got.value, float)
  perfect = next(reconstruction.run(views.view(images)))
  assert perfect.value == 0


def test_points_are_taken_as_they_are():
  points = views.dataset(np.full((4, 1, 1, 3), 300, np.float32), bounded=False)
  (got,) = reconstruction.run(views.view(points, decode=lambda z: z - 2))
  assert got == base.Metric('reconstruction_error', 12., 4)


@pytest.mark.parametrize('chunk', [2, 100])
def test_likeness_is_a_mean_over_the_images(chunk, monkeypatch):
  monkeypatch.setattr(reconstruction, 'CHUNK', chunk)
  images = views.random(5, (12, 12, 1))
  _, got = reconstruction.run(views.view(images, decode=lambda z: z ** 2))
  x = data_base.to_float(images)
  want = np.mean([ssim.ssim(a[None], a[None] ** 2) for a in x])
  assert got.name == 'reconstruction_ssim' and got.samples == 5
  assert got.value == pytest.approx(want, rel=1e-6) and .1 < want < .99


@pytest.mark.parametrize('size, bounded', [(10, True), (12, False)])
def test_no_likeness_of_small_images_or_of_other_values(size, bounded):
  data = views.dataset(views.random(3, (size, size, 1)), bounded=bounded)
  found = reconstruction.run(views.view(data))
  assert [m.name for m in found] == ['reconstruction_error']


@pytest.mark.parametrize('split, suffix', [
    ('test', ''), ('valid', '_valid'), ('train', '_train')])
def test_a_split_is_part_of_the_name(split, suffix):
  data = views.dataset(views.random(3), views.random(5, seed=2),
                       views.random(4, seed=1), binarize=True)
  (got,) = reconstruction.run(views.view(data, decode=lambda z: z / 2),
                              split=split)
  assert got.name == f'reconstruction_error{suffix}' and got.split == split
  images = {'test': data.test.images, 'valid': data.valid.images,
            'train': data_base.fixed_train(data)}[split]
  assert got.samples == len(images)
  want = np.sum((images / 510) ** 2) / len(images)
  assert got.value == pytest.approx(want, rel=1e-6)
