"""Images to features of Inception, and the evaluator as a whole."""
import jax
import numpy as np
import pytest

from swae_jax import errors
from swae_jax import options as options_lib
from swae_jax.data import base as data_base
from swae_jax.evals import comparisons, features, fid
from swae_jax.evals.inception import weights as files
import views

RESIZES = tuple(fid.RESIZES)


def weights(tmp_path, straight=False):
  """A file for 64 features; `straight`: the first three are R, G and B."""
  rng, arrays = np.random.default_rng(0), {}
  for layer, parts in files._shapes(64).items():
    shape = parts['kernel']
    kernel = rng.normal(size=shape) * (2 / np.prod(shape[:3]))**.5
    if straight:
      kernel = np.zeros(shape)
      kernel[1, 1] = np.eye(*shape[2:])
    arrays[f'{layer}/w'] = kernel.astype('f4')
    arrays[f'{layer}/b'] = np.zeros(parts['bias'], 'f4')
  path = tmp_path / 'inception' / files.WHOLE
  path.parent.mkdir(exist_ok=True)
  np.savez(path, **arrays)
  return str(path)


def dataset(shape=(8, 6, 3), n=8, colour=None, path=None):
  images = views.random(n, shape)
  if colour is not None:
    images[:] = colour
  files = {'files': {'toy': {'path': str(path)}}} if path else {}
  return views.dataset(images, np.concatenate([images, images[:2]]),
                       provenance=files)


def view(data, light=.5):
  dark = light * data_base.to_float(data.valid.images)
  sample = lambda n: np.resize(dark, (n, *dark.shape[1:]))
  return views.view(data, sample=sample)


def tensorflow_1(x):
  """Bilinear without half-pixel centres: a loop over the new pixels."""
  h, w, _ = x.shape
  out = np.zeros((299, 299, x.shape[2]))
  for i in range(299):
    for j in range(299):
      a, b = i * h / 299, j * w / 299
      top, left = int(a), int(b)
      bottom, right = min(top + 1, h - 1), min(left + 1, w - 1)
      a, b = a - top, b - left
      upper = x[top, left] * (1 - b) + x[top, right] * b
      lower = x[bottom, left] * (1 - b) + x[bottom, right] * b
      out[i, j] = upper * (1 - a) + lower * a
  return out


def test_legacy_resize_is_that_of_a_loop():
  x = dataset().test.images[:1]
  out = jax.jit(lambda x: fid.prepare(x, 'legacy'))(x)
  np.testing.assert_allclose(
      out[0], (tensorflow_1(np.float64(x[0])) - 128) / 128, atol=1e-5)


@pytest.mark.parametrize('shape', [(8, 6, 3), (299, 299, 3), (301, 700, 3)])
def test_resizes_are_those_of_pytorch(shape):
  torch = pytest.importorskip('torch')
  x = dataset(shape, n=1).test.images
  for resize, antialias, mean in (('bilinear', False, 127.5),
                                  ('antialias', True, 128)):
    out = jax.jit(lambda x, resize=resize: fid.prepare(x, resize))(x)
    expected = torch.nn.functional.interpolate(
        torch.tensor(x, dtype=torch.float64).permute(0, 3, 1, 2), (299, 299),
        mode='bilinear', align_corners=False, antialias=antialias)
    np.testing.assert_allclose(
        out, expected.permute(0, 2, 3, 1) / mean - 1, atol=1e-5)


@pytest.mark.parametrize('resize', RESIZES)
def test_uint8_and_floats_mean_the_same_and_grey_is_rgb(resize):
  x = dataset((8, 6, 1)).test.images
  prepare = jax.jit(lambda x: fid.prepare(x, resize))
  out = prepare(x)
  np.testing.assert_allclose(prepare(data_base.to_float(x)), out, atol=1e-5)
  np.testing.assert_allclose(prepare(np.repeat(x, 3, -1)), out, atol=1e-5)
  assert out.shape == (8, 299, 299, 3)


@pytest.mark.parametrize('resize', RESIZES)
def test_red_stays_red(tmp_path, resize):
  path = weights(tmp_path, straight=True)
  extractor = fid.make(path, 64, resize, 2)
  for colour, expected in (([255, 0, 0], [1, 0, 0]), ([0, 255, 0], [0, 1, 0]),
                           ([0, 0, 255], [0, 0, 1])):
    data = dataset(colour=colour)
    images = features.standard(view(data, light=1.), 'samples', 2)
    for chunks in ([images.real], images.generated):
      out = features.extract(extractor, chunks)
      np.testing.assert_allclose(out[:, :3], [expected] * 2, atol=.01)


def test_the_evaluator_finds_weights_and_gives_every_metric(
    tmp_path, monkeypatch):
  monkeypatch.delenv('SWAE_JAX_DATA', raising=False)
  weights(tmp_path)
  data = dataset((8, 6, 1), path=tmp_path / 'toy' / 'file')
  found = list(fid.run(view(data), dims=64, batch_size=3,
                       cache_dir=str(tmp_path / 'cache')))
  names = [f'{name}64_8' for name in (
      'fid', 'kid', 'precision', 'recall', 'density', 'coverage', 'mind')]
  assert [m.name for m in found] == names + [f'{n}_floor' for n in names]
  assert all(np.isfinite(m.value) for m in found)
  assert all('Inception' in m.protocol and 'resize legacy' in m.protocol
             for m in found)
  by_name = {m.name: m.value for m in found}
  # The samples are dark.
  assert by_name['fid64_8'] > by_name['fid64_8_floor'] > 0
  only = fid.run(view(data), dims=64, metrics=('fid',), batch_size=3,
                 cache_dir=str(tmp_path / 'cache'))
  assert {m.name: m.value for m in only} == {
      k: v for k, v in by_name.items() if k.startswith('fid')}


def test_the_score_is_that_of_the_features(tmp_path):
  path, data = weights(tmp_path), dataset()
  score, _ = fid.run(view(data), dims=64, weights=path, metrics=('fid',),
                     samples=5, resize='bilinear', batch_size=5)
  images = features.standard(view(data), 'samples', 5)
  extractor = fid.make(path, 64, 'bilinear', 5)
  real, other = (features.extract(extractor, x) for x in (
      [images.real], images.generated))
  assert score.value == comparisons.frechet(real, other)['frechet']
  assert (score.name, score.samples) == ('fid64_5', 5)


def test_the_environment_names_a_folder(tmp_path, monkeypatch):
  path = weights(tmp_path)
  monkeypatch.setenv('SWAE_JAX_DATA', str(tmp_path))
  assert str(files.find(*fid._folders(dataset()))) == path


@pytest.mark.parametrize('words, options', [
    ('2048 features need', {'dims': 2048}),
    ('no file nowhere', {'weights': 'nowhere.npz'})])
def test_weights_are_checked_before_a_run(tmp_path, words, options):
  found = {name: option.default for name, option in
           options_lib.of(fid.run).items()} | {'weights': weights(tmp_path)}
  fid.check(dataset(), found | {'dims': 64})
  with pytest.raises(errors.MissingData, match=words) as e:
    fid.check(dataset(), found | options)
  assert '\n' not in str(e.value)
