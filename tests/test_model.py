import json
import os
import pathlib
import pickle
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
import tiny_trained

import swae_jax
from swae_jax import errors
from swae_jax import model as model_lib
from swae_jax.training import train
from swae_jax.workdir import digests, files
import tiny

SETTINGS = ['ae', 'mim', 'sliced', 'swae', 'vae', 'vampprior', 'wae_gan',
            'wae_mmd']
ROOT = pathlib.Path(swae_jax.__file__).parent.parent


@pytest.fixture(name='model', scope='module')
def tiny_model():
  return model_lib.Model(tiny_trained.held(), batch_size=4)


def test_the_name_is_there_without_an_import():
  assert swae_jax.load is model_lib.load and 'load' in dir(swae_jax)


@pytest.mark.parametrize('system', SETTINGS)
def test_a_model_computes_what_its_system_does(system, tmp_path):
  a = tiny_trained.held(system)
  model = swae_jax.load(tiny_trained.workdir(tmp_path, a), batch_size=4)
  assert digests.summary(model.saved.variables) == digests.summary(
      a.variables)
  x = tiny_trained.images(6)
  z = model.encode(x)
  assert isinstance(z, np.ndarray) and z.shape == (6, model.width)
  device = jax.device_put(a.variables)
  np.testing.assert_allclose(
      z, a.system.encode(device, np.float32(x / 255)), atol=1e-5)
  x_rec = model.decode(z)
  assert isinstance(x_rec, np.ndarray) and x_rec.dtype == np.float32
  np.testing.assert_allclose(x_rec, a.system.decode(device, z), atol=1e-5)
  np.testing.assert_array_equal(model.reconstruct(x), x_rec)
  few, many = model.sample(2), model.sample(5)
  assert many.shape == (5, 8, 8, 1) and np.isfinite(many).all()
  np.testing.assert_array_equal(few, many[:2])
  assert not (model.prior(5, seed=1) == model.prior(5)).any()


@pytest.mark.slow
def test_a_run_on_eight_devices_is_used_on_one(tmp_path):
  config = tiny.config('ae', steps=2)
  config.devices = 8
  for section in config.evals.values():
    section.run = False
  results = train.run(config, tmp_path / 'run')
  run = files.read_json(tmp_path / 'run' / 'run.json')
  assert run['input'] == {**tiny_trained.DIGITS, 'examples': 1297} and run[
      'steps_per_epoch'] == 1297 // 32
  model = swae_jax.load(tmp_path / 'run')
  assert results['weights_sha256'] == digests.summary(model.saved.variables)
  x = tiny_trained.images(3)
  np.save(tmp_path / 'x.npy', x)
  code = '''
import json, sys
import numpy as np
import swae_jax
model = swae_jax.load('run')
z = model.encode(np.load('x.npy'))
heavy = {'matplotlib', 'sklearn', 'scipy.stats', 'tensorflow'}
json.dump([z.tolist(), sorted(heavy & set(sys.modules))], sys.stdout)
'''
  found = subprocess.run(
      [sys.executable, '-c', code], cwd=tmp_path, capture_output=True,
      text=True, check=True, env={**os.environ, 'PYTHONPATH': str(ROOT),
                                  'JAX_PLATFORMS': 'cpu',
                                  'JAX_NUM_CPU_DEVICES': '1'})
  z, heavy = json.loads(found.stdout)
  assert not heavy and not found.stderr
  np.testing.assert_allclose(z, model.encode(x), atol=1e-5)


@pytest.mark.parametrize('select', ['last', 'best'])
def test_the_state_is_that_of_the_evaluation(select, tmp_path):
  states = {name: tiny_trained.held('ae', seed)
            for seed, name in enumerate(('last', 'best'))}
  for name, folder in (('last', 'checkpoints'), ('best', 'best')):
    states[name].about['config']['train']['select'] = select
    tiny_trained.workdir(tmp_path, states[name], folder)
  found = swae_jax.load(tmp_path).saved.variables
  assert digests.summary(found) == digests.summary(
      states[select].variables)


def test_only_what_was_learned_is_read_and_it_is_checked(
    tmp_path, monkeypatch):
  a = tiny_trained.held('ae')
  with monkeypatch.context() as m:  # Digests of other weights.
    of = digests.of
    m.setattr(digests, 'of', lambda arrays: {
        name: '0' * 64 if name.startswith('variables/') else found
        for name, found in of(arrays).items()})
    tiny_trained.workdir(tmp_path / 'bad', a)
  with pytest.raises(errors.DamagedData, match='bad/checkpoints.*digest'):
    swae_jax.load(tmp_path / 'bad')
  good = tiny_trained.workdir(tmp_path / 'good', a)
  shutil.rmtree(good / 'checkpoints' / '3' / 'training')
  before = sorted(p for p in good.rglob('*'))
  swae_jax.load(good)
  assert before == sorted(p for p in good.rglob('*'))


def test_what_is_no_run_is_refused(tmp_path):
  a = tiny_trained.held('ae')
  tiny_trained.workdir(tmp_path, a)
  with pytest.raises(errors.MissingData, match='nowhere'):
    swae_jax.load(tmp_path / 'nowhere')
  with pytest.raises(errors.UserError, match='config.json'):
    swae_jax.load(tmp_path / 'checkpoints')
  shutil.rmtree(tmp_path / 'checkpoints')
  with pytest.raises(errors.UserError, match='no checkpoint yet'):
    swae_jax.load(tmp_path)
  assert not (tmp_path / 'checkpoints').exists()
  files.write_json(tmp_path / 'run.json', {'steps_per_epoch': 1})
  with pytest.raises(errors.UserError, match="no 'input'"):
    swae_jax.load(tmp_path)


def test_rows_do_not_depend_on_each_other(model):
  x = tiny_trained.images(9)
  z = model.encode(x)
  for part in (slice(0, 1), slice(3, 8), slice(0, 0)):
    np.testing.assert_array_equal(model.encode(x[part]), z[part])
    np.testing.assert_array_equal(model.decode(z[part]), model.decode(z)[part])


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_floats_and_bytes_are_the_same_images(model, dtype):
  x = tiny_trained.images(3) // 255 * np.uint8(255)  # 0 and 1 are exact.
  np.testing.assert_allclose(
      model.encode((x / 255).astype(dtype)), model.encode(x), atol=1e-6)


@pytest.mark.parametrize('words, x', [
    (r'\[N, 8, 8, 1\], found \[2, 8, 8\]', np.zeros((2, 8, 8))),
    (r'found \[8, 8, 1\]', np.zeros((8, 8, 1))),
    (r'found \[2, 64\]', np.zeros((2, 64))),
    (r'uint8 \(0 to 255\) or floats, found int64', np.ones((2, 8, 8, 1), int)),
    ('in .0, 1., found 0 to 255', np.linspace(0, 255, 64).reshape(1, 8, 8, 1)),
    ('in .0, 1., found -0.5 to 0', np.linspace(-.5, 0, 64).reshape(1, 8, 8, 1)),
    ('finite', np.full((1, 8, 8, 1), np.nan))])
def test_images_of_another_kind_are_refused(model, words, x):
  with pytest.raises(errors.UserError, match=words):
    model.encode(x)


@pytest.mark.parametrize('words, z', [
    (r'\[N, 2\], found float64 \[3, 4\]', np.zeros((3, 4))),
    (r'found float64 \[2\]', np.zeros(2)),
    ('found <U1', np.array([['a', 'b']])),
    ('finite', np.array([[0., np.inf]]))])
def test_codes_of_another_kind_are_refused(model, words, z):
  with pytest.raises(errors.UserError, match=words):
    model.decode(z)


def test_numbers_that_mean_nothing_are_refused(model):
  x = tiny_trained.images(3)
  for words, call in [
      ('n=-1', lambda: model.sample(-1)),
      ('steps=1', lambda: model.interpolate(x, x, 1)),
      ('found 3 and 2', lambda: model.interpolate(x, x[:2], 3)),
      ('batch_size=0', lambda: model_lib.Model(model.saved, 0))]:
    with pytest.raises(errors.UserError, match=words):
      call()


def test_data_without_a_range():
  model = model_lib.Model(tiny_trained.held(
      'ae', shape=[1, 1, 3], dtype='float32', bounded=False))
  x = np.random.default_rng(0).normal(size=(4, 1, 1, 3))
  z = model.encode(x)
  assert z.shape == (4, 2) and len(np.unique(z[:, 0])) == 4
  assert model.decode(z).min() < 0  # No sigmoid.
  with pytest.raises(errors.UserError, match='must be floats, found uint8'):
    model.encode(x.astype(np.uint8))


def test_interpolation_is_a_line_of_codes(model):
  a, b = tiny_trained.images(3), tiny_trained.images(3, seed=1)
  x = model.interpolate(a, b, 5)
  assert x.shape == (3, 5, 8, 8, 1)
  np.testing.assert_allclose(x[:, 0], model.reconstruct(a), atol=1e-6)
  np.testing.assert_allclose(x[:, 4], model.reconstruct(b), atol=1e-6)
  quarter = .75 * model.encode(a) + .25 * model.encode(b)
  np.testing.assert_allclose(x[:, 1], model.decode(quarter), atol=1e-6)


def test_it_stands_in_a_pipeline(model):
  base = pytest.importorskip('sklearn.base')
  neighbors = pytest.importorskip('sklearn.neighbors')
  pipeline = pytest.importorskip('sklearn.pipeline')
  x = tiny_trained.images(20)
  flat = (x / 255).reshape(20, 64)
  np.testing.assert_allclose(model.transform(flat), model.encode(x), atol=1e-6)
  np.testing.assert_array_equal(model.transform(x), model.encode(x))
  z = model.encode(x)
  np.testing.assert_array_equal(
      model.inverse_transform(z), model.decode(z).reshape(20, 64))
  whole = pipeline.make_pipeline(
      model, neighbors.KNeighborsClassifier(n_neighbors=1))
  copy = base.clone(whole).fit(flat, np.arange(20))
  assert copy[0] is model is model.fit(flat)  # It is not trained anew.
  assert copy.score(flat, np.arange(20)) == 1


def test_it_says_what_it_is(model):
  assert repr(model) == '<digits-swae, step 3: 8x8x1 -> 2>'


def test_a_pickled_model_is_the_same_model(model):
  again = pickle.loads(pickle.dumps(model))
  np.testing.assert_array_equal(again.sample(5, 3), model.sample(5, 3))
  assert repr(again) == repr(model)


@pytest.mark.parametrize('seed', [2**31, 2**32 + 1, 2**64 - 1])
def test_large_seeds_draw_other_codes(model, seed):
  assert not (model.prior(3, seed) == model.prior(3, seed & 0x7fffffff)).all()


@pytest.mark.parametrize('seed', [-1, 2**64])
def test_a_seed_that_has_no_key_is_refused(model, seed):
  with pytest.raises(errors.UserError, match=f'seed={seed}: '):
    model.sample(1, seed)
