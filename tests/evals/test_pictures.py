"""Images, whole and in their places, and words beside them."""
import numpy as np
import pytest

from swae_jax import errors
from swae_jax.evals import pictures, reconstruction, samples
import views


@pytest.fixture(autouse=True)
def small(monkeypatch):
  """Nothing is enlarged, unless a test says so."""
  monkeypatch.setattr(pictures, 'WIDTH', 1)


def test_tile_puts_images_row_by_row():
  images = np.arange(5 * 2 * 3).reshape(5, 2, 3, 1) / 255
  got = pictures.tile(images, 2, gap=1)
  assert got.shape == (2 * 3 + 2, 2 * 3 + 1) and got.dtype == np.uint8
  want = np.full((8, 7), 255)
  for n in range(5):
    for i in range(2):
      for j in range(3):
        want[n // 2 * 3 + i, n % 2 * 4 + j] = n * 6 + i * 3 + j
  np.testing.assert_array_equal(got, want)


def test_tile_keeps_colours():
  red = np.zeros((3, 2, 2, 3), np.float32)
  red[..., 0] = 1
  got = pictures.tile(red, 3, gap=0)
  assert got.shape == (2, 6, 3) and (got == [255, 0, 0]).all()


def test_tile_enlarges_by_a_whole_factor(monkeypatch):
  images = np.random.default_rng(0).random((4, 2, 2, 1))
  plain = pictures.tile(images, 2, gap=0)
  monkeypatch.setattr(pictures, 'WIDTH', 14)  # Four pixels wide: times three.
  np.testing.assert_array_equal(pictures.tile(images, 2, gap=0),
                                np.kron(plain, np.ones((3, 3))))
  assert pictures.tile(images, 2, gap=5).shape == (2 * 6 + 5, 2 * 6 + 5)


def test_tile_takes_any_value():
  values = np.float32([-1, .5, 2, np.nan, np.inf, -np.inf])
  got = pictures.tile(values.reshape(6, 1, 1, 1), 6, gap=0)
  assert got.tolist() == [[0, 128, 255, 0, 255, 0]]


@pytest.mark.parametrize('n, columns', [(0, 3), (3, 0)])
def test_an_empty_picture_is_refused(n, columns):
  with pytest.raises(errors.UserError, match='at least one row and column'):
    pictures.tile(np.zeros((n, 2, 2, 1)), columns)


def colours(n, h=3, w=5, seed=0):
  """n images [n, h, w, 3] of one colour each, none of them grey."""
  rng = np.random.default_rng(seed)
  levels = np.stack([rng.integers(0, 80, n), rng.permutation(90)[:n] + 100,
                     rng.integers(200, 250, n)], 1)
  return np.broadcast_to(levels[:, None, None] / 255, (n, h, w, 3))


def places(picture, images):
  """(top, left, height, width) of each image of one colour."""
  out = []
  for image in images:
    ys, xs = np.nonzero((picture == np.rint(255 * image[0, 0])).all(-1))
    top, left, h, w = ys[0], xs.min(), np.ptp(ys) + 1, np.ptp(xs) + 1
    assert len(ys) == h * w  # A whole rectangle: no word covers it.
    out.append((top, left, h, w))
  return np.array(out)


def ink(picture):
  """Where words are: pixels darker than paper, and grey."""
  return (np.ptp(picture, axis=-1) == 0) & (picture[..., 0] < 200)


def test_images_are_whole_and_in_rows_groups_and_columns():
  x = colours(7)
  groups = [[pictures.Row(x[:3], 'data'), pictures.Row(x[3:5], 'other')],
            [pictures.Row(x[5:], 'data')]]
  got = pictures.labelled('A title', groups, apart=(1,))
  found = places(got, x)
  factor = -(-pictures.LINE // 3)  # A row has room for its label.
  assert (found[:, 2:] == [3 * factor, 5 * factor]).all()
  ys, xs = found[:, 0], found[:, 1]
  assert len(set(ys[:3])) == len(set(ys[3:5])) == len(set(ys[5:])) == 1
  assert ys[3] - ys[0] == 3 * factor + pictures.GAP
  assert ys[5] - ys[3] == 3 * factor + pictures.APART
  assert xs[1] - xs[0] == 5 * factor + pictures.APART
  assert xs[2] - xs[1] == 5 * factor + pictures.GAP
  assert (xs[3:5] == xs[:2]).all() and (xs[5:] == xs[:2]).all()


WORDS = {
    'title': {'title': 'Another title, and a long one'},
    'left': {'left': 'data'}, 'right': {'right': 'nearest in data'},
    'heads': {'heads': [pictures.Head('query', 0, 0),
                        pictures.Head('others', 1, 2)]},
    'feet': {'feet': ['-1 and more words', '', '1 and more words']},
    'foot': {'foot': 'standard deviations'}}


@pytest.mark.parametrize('where', WORDS)
def test_words_are_drawn_outside_of_the_images_and_within_the_picture(where):
  options = {'title': 'T', 'left': '', 'right': '', **WORDS[where]}
  x = colours(3, 30, 40)
  title, row = options.pop('title'), pictures.Row(
      x, options.pop('left'), options.pop('right'))
  got = pictures.labelled(title, [[row]], **options)
  top, left, h, w = places(got, x)[0]
  end = places(got, x)[-1][1] + w
  dark = ink(got)
  border = np.ones(dark.shape, bool)
  border[2:-2, 2:-2] = False
  assert not dark[border].any()  # Nothing is cut off.
  beside = {'title': dark[:36, 25:], 'left': dark[top:top + h, :left],
            'right': dark[top:top + h, end:], 'heads': dark[36:top],
            'feet': dark[top + h:], 'foot': dark[top + h:]}
  plain = pictures.labelled('T', [[pictures.Row(x)]])
  assert beside[where].any()
  for name in beside.keys() - {where, 'feet', 'foot'}:
    assert not beside[name].any(), name
  assert plain.shape[0] <= got.shape[0] and plain.shape[1] <= got.shape[1]


def test_feet_that_have_no_room_are_left_out():
  x = colours(7, 4, 20)
  few = pictures.labelled('T', [[pictures.Row(x)]],
                          feet=['1234567', '', ''] * 2 + ['1234567'])
  many = pictures.labelled('T', [[pictures.Row(x)]], feet=['1234567'] * 7)
  np.testing.assert_array_equal(many, few)


def test_grey_pictures_stay_grey():
  x = np.full((2, 3, 3, 1), .5)
  got = pictures.labelled('T', [[pictures.Row(x, 'data')]])
  assert got.ndim == 2 and got.dtype == np.uint8 and (got == 128).sum() >= 18


def test_kinds_of_images_are_grouped_by_rows():
  x = np.arange(5.)[:, None, None, None]
  groups = pictures.grouped(3, data=x, with_noise=10 + x)
  assert [[row.left for row in group] for group in groups] == 2 * [
      ['data', 'with noise']]
  assert [row.images.ravel().tolist() for group in groups for row in group] == [
      [0, 1, 2], [10, 11, 12], [3, 4], [13, 14]]


def test_samples_are_decoded_codes_of_the_prior(drawn):
  view = views.view(
      views.random(1), sample=lambda n: np.arange(n, dtype=np.float32),
      decode=lambda z: np.tile(z[:, None, None, None] / 255, (1, 2, 2, 1)))
  (got,) = samples.run(view, rows=3, columns=2)
  assert got.name == 'samples' and 'drawn from the prior' in drawn[0].title
  assert drawn[0].levels() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize('n, want', [
    (7, [[10, 11, 12], [110, 111, 112], [13, 14, 15], [113, 114, 115]]),
    (2, [[10, 11], [110, 111]])])
def test_each_reconstruction_lies_below_its_original(drawn, n, want):
  images = np.tile(np.arange(10, 10 + n, dtype=np.uint8)[:, None, None, None],
                   (1, 2, 2, 1))
  view = views.view(images, decode=lambda z: z + np.float32(100 / 255))
  (got,) = reconstruction.show(view, rows=2, columns=3)
  assert got.name == 'reconstructions' and drawn[0].levels() == want
  assert drawn[0].labels == len(want) // 2 * ['data', 'reconstruction']
