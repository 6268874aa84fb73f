"""Data, options and files of another run are seen, and named in one line."""
import json
import shutil

import numpy as np
from PIL import Image
import pytest

import swae_jax
from swae_jax import errors
from swae_jax.commands import verify
from swae_jax.training import dry_run, evaluation, train
from swae_jax.workdir import files, folder
import tiny

SMALL = 'config.json', 'run.json', 'results.json'
DAMAGE = {
    'empty': lambda text: b'',
    'no keys': lambda text: b'{}',
    'a list': lambda text: b'[]',
    'cut': lambda text: text[:-20],
    'a NUL': lambda text: text[:40] + b'\0' + text[40:],
    'no text': lambda text: text[:40] + b'\xff\xfe' + text[40:],
    'a digit': lambda text: text.replace(b'1', b'2', 1),
}


@pytest.fixture(name='data', scope='module')
def _data(tmp_path_factory):
  """Folders of pictures: a; b with other pixels; c with a picture more."""
  root = tmp_path_factory.mktemp('data')
  for name in 'abc':
    rng = np.random.default_rng(name == 'b')
    (root / name).mkdir()
    for i in range(41 if name == 'c' else 40):
      pixels = rng.integers(255, size=(8, 8), dtype=np.uint8)
      Image.fromarray(pixels).save(root / name / f'{i:02}.png')
  return root


@pytest.fixture(name='config', scope='module')
def _config(data):
  def config(name='a', **options):
    made = tiny.config('ae', {
        'data.name': 'folder', 'data.dir': str(data / name),
        'data.folder.size': 8, 'data.folder.channels': 1,
        'evals.samples.run': False, **options}, batch_size=16, save_every=10)
    return made
  return config


@pytest.fixture(name='runs', scope='module')
def _runs(config, tmp_path_factory):
  """A run, and another one of another seed."""
  root = tmp_path_factory.mktemp('runs')
  train.run(config(), root / 'one')
  train.run(config(seed=1), root / 'other')
  return root


@pytest.fixture(name='one')
def _one(runs, tmp_path):
  return shutil.copytree(runs / 'one', tmp_path / 'one')


def faults(workdir):
  return {name: fault for name, fault in verify.verify(workdir) if fault}


def uses(workdir, config):
  """What reads a run: resuming, evaluation and load."""
  return (lambda: train.run(config, workdir),
          lambda: evaluation.again(workdir, config),
          lambda: swae_jax.load(workdir))


def refused(use, code):
  """The line with which a use of a run is refused."""
  with pytest.raises(errors.UserError) as e:
    use()
  assert e.value.code == code and '\n' not in str(e.value)
  return str(e.value)


@pytest.mark.parametrize('name, words', [
    ('b', 'sha256: '), ('c', "train: 'uint8[32, 8, 8, 1]' (checkpoint) vs")])
def test_other_data_are_refused(one, config, name, words):
  before = {p: p.read_bytes() for p in one.rglob('*') if p.is_file()}
  longer = config(name)
  longer.train.steps = 20
  for use in (*uses(one, config(name))[:2], lambda: train.run(longer, one)):
    line = refused(use, 2)
    assert words in line and 'other data' in line and '--allow' in line
  after = {p: p.read_bytes() for p in one.rglob('*') if p.is_file()}
  assert before == after


def test_metrics_of_two_data_sets_are_never_merged(one, config):
  before = files.read_json(one / 'results.json')
  found = evaluation.again(one, config('b', **{
      'evals.reconstruction.run': False, 'evals.latent_distance.run': True}),
                           allow_config_change=True)
  assert 'reconstruction_error' not in {m['name'] for m in found['metrics']}
  for metric in found['metrics']:
    assert found['data']['fingerprint']['sha256'].startswith(metric['data'])
  assert found['metrics'][0]['data'] != before['metrics'][0]['data']
  assert not faults(one)
  change, = (json.loads(line) for line in
             (one / 'config_changes.jsonl').read_text().splitlines())
  assert change['evaluation_only'] and change['changes'].keys() == {
      'fingerprint.sha256'}
  # The run itself has the data that it had.
  assert train.run(config(), one)['metrics'] == before['metrics']


def test_a_run_goes_on_with_other_data_if_asked(one, config):
  longer = config('b')
  longer.train.steps = 12
  train.run(longer, one, allow_config_change=True)
  assert 'fingerprint.sha256' in (one / 'config_changes.jsonl').read_text()
  assert not faults(one)
  assert 'other data' in refused(lambda: train.run(config(), one), 2)


@pytest.mark.parametrize('name', [
    'checkpoints/10', 'results.json', 'run.json', 'config.json'])
def test_a_file_of_another_run_is_named(one, runs, config, name):
  source, target = runs / 'other' / name, one / name
  if source.is_dir():
    shutil.rmtree(target)
    shutil.copytree(source, target)
  else:
    shutil.copy(source, target)
  assert 'is of another run' in ''.join(faults(one).values())
  longer = config()
  longer.train.steps = 12
  for use in uses(one, longer):
    assert 'is of another run' in refused(use, 65)


@pytest.mark.parametrize('name', SMALL)
def test_a_damaged_small_file_is_named(one, config, name):
  content = (one / name).read_bytes()
  for damage in DAMAGE.values():
    (one / name).write_bytes(damage(content))
    assert faults(one).keys() == {name}
    for use in uses(one, config())[:2 if name == 'results.json' else 3]:
      assert str(one / name) in refused(use, 65)
  (one / name).unlink()
  (one / name).mkdir()
  assert str(one / name) in refused(uses(one, config())[0], 65)


def test_a_run_without_its_options_is_refused(one, config):
  (one / 'config.json').unlink()
  assert faults(one).keys() == {'config.json'}
  for use in uses(one, config()):
    assert 'no config.json' in refused(use, 65)
  train.run(config(), one, allow_config_change=True)
  assert not faults(one)
  assert 'no config.json' in (one / 'config_changes.jsonl').read_text()


def test_run_json_is_made_anew_from_the_checkpoints(one, config):
  own = folder.find_identity(one)
  (one / 'run.json').unlink()
  assert faults(one).keys() == {'run.json'}
  assert 'run.json' in refused(lambda: swae_jax.load(one), 65)
  assert 'other data' in refused(lambda: train.run(config('b'), one), 2)
  (one / 'results.json').unlink()
  train.run(config(), one)
  assert folder.find_identity(one) == own and not faults(one)


def test_a_finished_run_without_a_checkpoint_is_named(one):
  shutil.rmtree(one / 'checkpoints' / '10')
  assert 'its checkpoint is not there' in faults(one)['results.json']


def test_an_evaluation_of_an_unfinished_run_lets_it_go_on(one, config):
  (one / 'results.json').unlink()
  longer = config()
  longer.train.steps = 12
  assert evaluation.again(one, config())['step'] == 10
  assert train.run(longer, one)['step'] == 12


@pytest.mark.parametrize('name', ['lr=[0.1]', 'a*b', 'a?b', 'a\\b'])
def test_a_path_that_a_library_globs_is_refused(name, tmp_path, config):
  for workdir in (tmp_path / name, tmp_path / name / 'below'):
    for use in (train.run, dry_run.dry_run):
      assert '--workdir' in refused(
          lambda u=use, w=workdir: u(config(), w), 2)
  assert not list(tmp_path.iterdir())


def test_the_best_state_of_an_abandoned_course_is_dropped(tmp_path, config):
  made = config(**{'train.valid_every': 1, 'train.select': 'best',
                   'train.save_every': 5})
  assert train.run(made, tmp_path)['evaluated_step'] > 5
  shutil.rmtree(tmp_path / 'checkpoints' / '10')
  (tmp_path / 'results.json').unlink()
  made.train.steps = 5
  assert train.run(made, tmp_path)['evaluated_step'] == 5
  assert not list((tmp_path / 'best').iterdir()) and not faults(tmp_path)
  # Validation losses of states that are lost keep no later one from being best.
  made.train.steps, made.optimizers.model.learning_rate = 8, 10.
  train.run(made, tmp_path, allow_config_change=True)
  losses = {row['step']: row['loss'] for row in map(
      json.loads, (tmp_path / 'valid.jsonl').read_text().splitlines())}
  assert losses[4] < min(losses[6], losses[8])
  best, = (tmp_path / 'best').iterdir()
  assert best.name in ('6', '8')
