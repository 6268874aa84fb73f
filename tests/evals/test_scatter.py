import numpy as np
import pytest

pytest.importorskip('matplotlib')

from swae_jax.evals import scatter


def drawn(classes):
  """Figure, axes and pixels of two points of each class."""
  fig = scatter.new(400, 300)
  axes = fig.subplots()
  labels = np.arange(2 * classes) % classes
  points = np.random.default_rng(0).normal(size=(len(labels), 2))
  scatter.by_class(axes, points, labels, classes)
  scatter.legend(fig, axes, classes)
  return fig, axes, points, labels


@pytest.mark.parametrize('classes', [1, 10, 20, 40])
def test_each_class_has_a_colour_and_marker_of_its_own(classes):
  _, axes, points, labels = drawn(classes)
  styles = {(tuple(group.get_facecolor()[0]),
             group.get_paths()[0].vertices.tobytes())
            for group in axes.collections}
  assert len(styles) == len(axes.collections) == classes
  for c, group in enumerate(axes.collections):
    np.testing.assert_array_equal(group.get_offsets(), points[labels == c])


@pytest.mark.parametrize('classes, columns', [
    (1, None), (2, 1), (20, 1), (21, 2), (40, 2), (41, None)])
def test_legend_names_the_classes_where_they_differ(classes, columns):
  fig, *_ = drawn(classes)
  if columns is None:
    assert not fig.legends
  else:
    (legend,) = fig.legends
    assert [t.get_text() for t in legend.get_texts()] == [
        str(c) for c in range(classes)]
    assert legend._ncols == columns


def test_pixels_are_as_many_as_asked_for():
  fig, *_ = drawn(20)
  image = scatter.pixels(fig)
  assert image.shape == (300, 400, 3) and image.dtype == np.uint8
  assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20


def test_limits_are_a_square_around_all_points():
  low, high = scatter.limits(np.float64([[0, 0], [4, 1], [np.nan, 99]]))
  np.testing.assert_allclose(high - low, 4 * 1.06)
  np.testing.assert_allclose((high + low) / 2, [2, .5])
  low, high = scatter.limits(np.ones((3, 2)))
  assert (low < 1).all() and (high > 1).all()
  low, high = scatter.limits(np.full((2, 2), np.nan))
  assert (high - low == 2).all()
