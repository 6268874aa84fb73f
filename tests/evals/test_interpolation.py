import numpy as np
import pytest

from swae_jax.evals import interpolation
import views


def run(images, **options):
  view = views.view(images, views.flat,
                    lambda z: z.reshape(-1, *images.shape[1:]))
  return list(interpolation.run(view, **options))


def test_codes_go_straight_from_one_image_to_the_next(drawn):
  images = np.uint8([[10, 0], [40, 60], [100, 7], [70, 7], [0, 0]])
  view = views.view(images.reshape(5, 2, 1, 1), views.flat,
                    lambda z: z.reshape(-1, 2, 1, 1) + np.float32(1 / 255))
  (got,) = interpolation.run(view, rows=9, steps=4)
  assert got.name == 'interpolation'
  ((title, _, rest),) = drawn
  assert drawn[0].levels() == [[10, 11, 21, 31, 41, 40],
                               [100, 101, 91, 81, 71, 70]]
  second = [np.rint(255 * row.images[:, 1, 0, 0]).tolist()
            for row in drawn[0].rows]
  assert second == [[0, 1, 21, 41, 61, 60], [7, 8, 8, 8, 8, 7]]
  assert title == 'From one test image to another'
  assert [head[1:] for head in rest['heads']] == [(0, 0), (1, 4), (5, 5)]
  assert rest['feet'] == ['', '0%', '33%', '67%', '100%', '']


def test_number_of_rows_and_steps(drawn):
  run(np.zeros((20, 2, 2, 3), np.uint8), rows=3, steps=2)
  assert [row.images.shape for row in drawn[0].rows] == 3 * [(4, 2, 2, 3)]


def test_nothing_for_one_image():
  assert run(np.zeros((1, 2, 2, 1), np.uint8)) == []


@pytest.mark.parametrize('steps', [2, 5])
def test_a_line_keeps_both_ends_and_its_type(steps):
  a, b = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
  got = interpolation.interpolate(a, b, steps)
  assert got.shape == (3, steps, 4) and got.dtype == np.float32
  np.testing.assert_array_equal(got[:, 0], a)
  np.testing.assert_array_equal(got[:, -1], b)
  for i in range(steps):
    np.testing.assert_allclose(got[:, i], a + i / (steps - 1) * (b - a),
                               atol=1e-6)
