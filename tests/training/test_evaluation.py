"""Evaluation of a run from its workdir, and what a result says of itself."""
import functools
import json

import jax
import numpy as np
import pytest

from swae_jax import errors, evals
from swae_jax.evals import base
from swae_jax.training import build, evaluation, step, train
from swae_jax.workdir import files
import tiny


def named(results):
  return {m['name']: m for m in results['metrics']}


@pytest.fixture(scope='module')
def done(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('run')
  return workdir, train.run(tiny.config(), workdir)


def test_a_result_records_its_data_code_and_weights(done):
  workdir, results = done
  assert results == files.read_json(workdir / 'results.json')
  assert results['seed'] == 0 and results['data']['name'] == 'digits'
  assert len(results['weights_sha256']) == len(results['code_sha256']) == 64
  metric = named(results)['reconstruction_error']
  assert metric['split'] == 'test' and metric['samples'] == 300


def test_evaluating_again_gives_the_same(done):
  workdir, results = done
  assert evaluation.again(workdir) == results


def test_another_evaluator_is_added(done):
  workdir, results = done
  config = tiny.config()
  config.evals.reconstruction.run = False
  config.evals.knn.run = True
  new = evaluation.again(workdir, config)
  old = named(results)['reconstruction_error']
  assert named(new)['reconstruction_error'] == old
  assert 0 < named(new)['knn5_accuracy']['value'] <= 1
  assert new['pictures'] == results['pictures']


def test_metrics_of_other_weights_do_not_stay(done, tmp_path):
  train.run(tiny.config(), tmp_path)
  results = json.loads((tmp_path / 'results.json').read_text())
  results['weights_sha256'] = 'of others'
  results['metrics'].append({'name': 'old', 'value': 1., 'samples': 1})
  files.write_json(tmp_path / 'results.json', results)
  assert 'old' not in named(evaluation.again(tmp_path))


def test_a_folder_without_a_run_is_refused(tmp_path):
  with pytest.raises(errors.UserError, match='holds no run'):
    evaluation.again(tmp_path)


def test_another_seed_compiles_nothing(tmp_path, monkeypatch):
  config = tiny.config()
  like = build.build(config)
  train.run(config, tmp_path / '0', like)
  made = []
  make = step.make
  monkeypatch.setattr(step, 'make', lambda *args, **options: (
      made.append(0) or make(*args, **options)))
  config.seed = 1
  reused = train.run(config, tmp_path / '1', like)
  assert not made
  fresh = train.run(config, tmp_path / '2')
  assert made and reused['state_sha256'] == fresh['state_sha256']


@pytest.fixture(name='view', scope='module')
def vae_view():
  run = build.build(tiny.config('vae'))
  return base.view(run.system, build.init(run).variables, run.dataset,
                   jax.random.key(0))


def test_draws_are_the_same_at_each_call_and_not_the_mean(view):
  x = view.data.test.images
  np.testing.assert_array_equal(view.draw(x), view.draw(x))
  assert np.abs(view.draw(x) - view.encode(x)).mean() > .1


def test_an_evaluator_that_no_longer_runs_leaves_no_options(tmp_path):
  options = {'evals.knn.run': True, 'evals.knn.k': (3,)}
  train.run(tiny.config(options=options), tmp_path)
  results = evaluation.again(tmp_path, tiny.config())
  assert 'knn3_accuracy' in named(results)


def test_codes_and_samples_have_noise_of_their_own(view):
  z, z_prior = view.draw(view.data.test.images), view.sample(300)
  assert abs(np.corrcoef(z.ravel(), z_prior.ravel())[0, 1]) < .2


def test_missing_weights_show_before_a_run(tmp_path, monkeypatch):
  monkeypatch.delenv('SWAE_JAX_DATA', raising=False)
  config = tiny.config()
  config.evals.fid.run = True
  config.evals.fid.weights = str(tmp_path / 'none.npz')
  with pytest.raises(errors.MissingData, match='none.npz'):
    build.build(config)


def test_an_evaluator_that_fails_loses_no_metric_of_others(tmp_path,
                                                           monkeypatch):
  config, real = tiny.config(), evals.EVALS['latent_distance']

  @functools.wraps(real.run)  # With its options.
  def fails(view, **options):
    del view, options
    yield base.Metric('half', 1., 1)
    raise ZeroDivisionError('toy')

  monkeypatch.setitem(
      evals.EVALS, 'latent_distance', real._replace(run=fails))
  config.evals.latent_distance.run = True
  with pytest.raises(ZeroDivisionError):
    train.run(config, tmp_path)
  results = files.read_json(tmp_path / 'results.json')
  assert results['failed'] == {'latent_distance': 'ZeroDivisionError: toy'}
  assert {'half', 'reconstruction_error'} <= named(results).keys()
  monkeypatch.undo()  # The same command evaluates once more.
  results = train.run(config, tmp_path)
  assert 'failed' not in results and results['step'] == 10
  assert results == files.read_json(tmp_path / 'results.json')
