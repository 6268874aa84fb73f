"""Which images meet, and what the results are called."""
import numpy as np
import pytest

from swae_jax.data import base as data_base
from swae_jax.evals import features
import views

MEAN = {'gap': (lambda real, other: {
    'gap': float(other.mean() - real.mean())}, {'gap': 'gap7'})}


def dataset(binarize=False, test=12):
  data = views.dataset(views.random(test, (4, 4, 1), 0),
                       views.random(40, (4, 4, 1), 1))
  return data_base.binarize(data) if binarize else data


def view(data, sample=None):
  return views.view(data, sample=sample or (
      lambda n: np.full((n, 4, 4, 1), .305, np.float32)))


def extractor(seen=None, batch_size=5, **kwargs):
  def fn(x):
    if seen is not None:
      seen.append(x)
    return data_base.to_float(x).reshape(len(x), -1)
  return features.Extractor(fn, batch_size, MEAN, {'toy': 1}, 'toy', **kwargs)


def run(images, **kwargs):
  return list(features.compare(extractor(**kwargs), images, ('gap',)))


@pytest.mark.parametrize('n, text', [
    (1000, '1k'), (10000, '10k'), (297, '297'), (1500, '1500')])
def test_the_number_is_part_of_the_name(n, text):
  assert features.number(n) == text


def test_names_and_what_stands_behind_them():
  images = features.standard(view(dataset()), 'samples', 10)
  score, floor = run(images)
  assert (score.name, floor.name) == ('gap7_10', 'gap7_10_floor')
  assert score.samples == floor.samples == 10 and score.split == 'test'
  assert score.protocol == 'standard, 10 against 10; toy'
  # 77.775 of 255 levels are rounded.
  expected = 78 / 255 - images.real.mean() / 255
  assert score.value == pytest.approx(expected, abs=1e-6)
  expected = images.floor.mean() / 255 - images.real.mean() / 255
  assert floor.value == pytest.approx(expected, abs=1e-6)


def test_a_small_split_counts_its_images():
  data = dataset(test=7)
  score, floor = run(features.standard(view(data), 'samples', 10000))
  assert (score.name, floor.name) == ('gap7_7', 'gap7_7_floor')


def rows(x):
  return {one.tobytes() for one in x}


def test_standard_takes_a_part_of_either_split():
  data = dataset()
  images = features.standard(view(data), 'samples', 10)
  again = features.standard(view(data), 'samples', 10)
  np.testing.assert_array_equal(images.real, again.real)
  assert len(rows(images.real)) == 10
  assert rows(images.real) < rows(data.test.images)
  assert len(rows(images.floor)) == 10
  assert rows(images.floor) < rows(data.train.images)


def test_binary_data_meet_before_they_are_drawn():
  data = dataset(binarize=True)
  encoded = []

  def encode(x):
    encoded.append(x)
    return data_base.to_float(x)

  images = features.standard(view(data)._replace(encode=encode),
                             'reconstructions', 30)
  assert images.split == 'test'
  assert rows(images.real) == rows(dataset().test.images)  # Grey.
  assert set(np.unique(encoded or data.test.images)) == {0, 255}
  generated, = images.generated
  np.testing.assert_array_equal(generated, encoded[0])
  assert set(np.unique(generated)) == {0, 255}
  # The draw of a pixel is rarely far from its value.
  assert np.corrcoef(generated.ravel(), images.real.ravel())[0, 1] > .4


def test_reconstructions_are_those_of_the_real_images():
  images = features.standard(view(dataset()), 'reconstructions', 10)
  generated = np.concatenate(list(images.generated))
  np.testing.assert_array_equal(generated, images.real)
  score, floor = run(images._replace(generated=[generated]))
  assert (score.name, score.value) == ('gap7_10_reconstructions', 0.)
  assert floor.name == 'gap7_10_floor'


def test_the_papers_protocol_rounds_nothing():
  data = dataset(binarize=True)
  images = features.swae_paper(view(data), 'samples')
  np.testing.assert_array_equal(images.real, data.test.images)
  np.testing.assert_array_equal(images.floor, data_base.fixed_train(data))
  chunks = list(images.generated)
  assert sum(map(len, chunks)) == 2000
  assert all((x == np.float32(.305)).all() for x in chunks)
  score, floor = run(images._replace(generated=chunks))
  assert score.name == 'gap7_2k_swae_paper' and score.split == 'test'
  assert score.protocol.startswith('swae_paper, 2000 against 12;')
  assert floor.name == 'gap7_40_swae_paper_floor'


def test_the_papers_reconstructions_are_of_its_first_images():
  data = dataset()
  images = features.swae_paper(view(data), 'reconstructions')
  np.testing.assert_array_equal(np.concatenate(list(images.generated)),
                                data_base.to_float(data.test.images))


@pytest.mark.parametrize('batch_size', [1, 5, 50])
def test_batches_have_one_shape_and_no_padding_comes_out(batch_size):
  seen = []
  x = dataset().test.images
  out = features.extract(extractor(seen, batch_size), [x[:5], x[5:]])
  np.testing.assert_array_equal(out, data_base.to_float(x).reshape(12, -1))
  assert {len(batch) for batch in seen} == {batch_size}


def test_images_that_are_not_finite_have_no_score():
  sample = lambda n: np.full((n, 4, 4, 1), np.nan, np.float32)
  images = features.standard(view(dataset(), sample=sample), 'samples', 10)
  number = {'gap': (lambda real, other: {'gap': 1.}, {'gap': 'gap7'})}
  score, floor = features.compare(
      extractor()._replace(metrics=number), images, ('gap',))
  assert np.isnan(score.value) and np.isfinite(floor.value)


def test_features_of_real_images_are_kept(tmp_path):
  data, seen = dataset(), []
  kept = lambda batch, x: features.kept(batch, x, str(tmp_path))
  first = kept(extractor(seen), data.test.images)
  count = len(seen)
  np.testing.assert_array_equal(
      kept(extractor(seen), data.test.images), first)
  assert len(seen) == count
  kept(extractor(seen), data.train.images)
  kept(extractor(seen)._replace(source={'toy': 2}), data.test.images)
  assert len(list(tmp_path.iterdir())) == 3


def test_a_digest_depends_on_type_shape_and_bytes():
  x = np.arange(6, dtype=np.int32)
  others = [x.astype(np.uint32), x.reshape(2, 3), x[::-1], x[:5]]
  found = {features.digest(*arrays) for arrays in (
      (x,), *((other,) for other in others), (x, x))}
  assert len(found) == 6
  assert features.digest(x[::-1]) == features.digest(x[::-1].copy())
