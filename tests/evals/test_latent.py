import numpy as np
import pytest

from swae_jax.evals import latent
import views

BLUE, ORANGE, GREY = (31, 119, 180), (255, 127, 14), (51, 51, 51)


def make(shape=(1, 2, 1), classes=2, width=2, n=30):
  """Codes in [0, 1], left brightness first, and a prior in [-3, -2]."""
  images = np.random.default_rng(0).random((n, *shape), dtype=np.float32)
  sample = lambda m: np.random.default_rng(1).random((m, width)) - 3
  return views.view(views.dataset(images, classes=classes),
                    lambda x: np.float32(x).reshape(len(x), -1)[:, :width],
                    lambda z: z.reshape(len(z), 1, 2, 1), sample)


def where(image, colour):
  """Columns in which a colour occurs, away from titles and tick labels."""
  columns = np.nonzero((image[45:440] == colour).all(-1).any(0))[0]
  return columns[columns > 65]


def names(view, **options):
  return [picture.name for picture in latent.run(view, **options)]


@pytest.mark.parametrize('shape, width, want', [
    ((1, 2, 1), 2, ['latent', 'manifold']),
    ((1, 1, 3), 2, ['latent']),  # Points: the scatter alone.
    ((2, 2, 1), 3, []), ((2, 2, 1), 1, [])])
def test_only_two_dimensions_are_drawn(shape, width, want):
  assert names(make(shape, width=width), side=3) == want


def test_scatter_has_the_codes_left_and_the_prior_right():
  image, again = (next(latent.run(make())).image for _ in range(2))
  np.testing.assert_array_equal(image, again)
  assert image.dtype == np.uint8 and image.shape == (500, 1000, 3)
  for colour in (BLUE, ORANGE):
    columns = where(image, colour)
    # Codes and prior have the same limits: codes are at the far right of the
    # left panel; and once in the legend.
    inside = columns[columns < 900]
    assert 300 < inside.min() and inside.max() < 480
    assert columns.max() > 930
  columns = where(image, GREY)
  assert 490 < columns.min() and 600 < columns.max() < 660


def test_scatter_takes_as_many_points_as_asked_for():
  seen = []
  view = make()
  encode, sample = view.encode, view.sample
  view = view._replace(encode=lambda x: seen.append(len(x)) or encode(x),
                       sample=lambda n: seen.append(n) or sample(n))
  next(latent.run(view, points=7))
  assert seen == [7, 7]


@pytest.mark.parametrize('classes', [1, 11, 25])
def test_scatter_of_any_number_of_classes(classes):
  image = next(latent.run(make(classes=classes))).image
  assert image.shape == (500, 1000, 3)


def test_scatter_survives_codes_that_are_not_finite():
  view = make((1, 1, 3))
  broken = view._replace(encode=lambda x: np.full((len(x), 2), np.nan))
  assert names(broken) == ['latent']
  assert names(broken._replace(sample=lambda n: np.full((n, 2), np.inf))) == [
      'latent']


@pytest.mark.parametrize('side, ticks', [
    (3, ['-0.5', '0', '0.5']), (4, ['-0.5', '', '', '0.5'])])
def test_manifold_is_the_plane_with_its_axes_to_the_right_and_up(
    drawn, side, ticks):
  view = make()
  brighter = view._replace(decode=lambda z: view.decode(z + np.float32(.5)))
  assert names(brighter, side=side, extent=.5) == ['latent', 'manifold']
  levels = [int(np.rint(255 * i / (side - 1))) for i in range(side)]
  assert drawn[0].levels() == side * [levels]
  assert [int(np.rint(255 * row.images[0, 0, 1, 0]))
          for row in drawn[0].rows] == levels[::-1]
  assert drawn[0].rest['feet'] == [t and f'axis 1 = {t}' for t in ticks]
  assert drawn[0].labels == [t and f'axis 2 = {t}' for t in ticks[::-1]]


def test_grid_is_that_of_the_paper():
  z = latent._grid(25, 1.)
  assert z.shape == (625, 2) and z.dtype == np.float32
  steps = {round(-1 + 2 * i / 24, 5) for i in range(25)}
  assert {round(float(v), 5) for v in z.ravel()} == steps
  assert len(np.unique(z, axis=0)) == 625
