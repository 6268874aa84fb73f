"""The one loop: resume, devices, refusals, what a run leaves behind."""
import functools
import json
import math

import jax
import numpy as np
import pytest

from configs import systems
from swae_jax import build, checkpoint, errors, objectives, record, train
from swae_jax import mesh as mesh_lib
import tiny

# What the released codes have differs in options alone.
SYSTEMS = [pytest.param(name, marks=pytest.mark.slow if '/' in name else ())
           for name in systems.SYSTEMS]


def metrics_of(workdir):
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


@pytest.mark.parametrize('system', SYSTEMS)
def test_a_longer_run_goes_on_bit_for_bit(system, tmp_path):
  straight = train.run(tiny.config(system, steps=10), tmp_path / 'a')
  train.run(tiny.config(system, steps=7), tmp_path / 'b')
  resumed = train.run(tiny.config(system, steps=10), tmp_path / 'b')
  assert straight['state_sha256'] == resumed['state_sha256']
  assert straight['metrics'] == resumed['metrics']
  a, b = metrics_of(tmp_path / 'a'), metrics_of(tmp_path / 'b')
  # The run that was to end at 7 wrote a line there.
  assert a == [line for line in b if line['step'] != 7]
  assert [line['step'] for line in b] == [2, 4, 6, 7, 8, 10]


class Killed(Exception):
  pass


def test_a_run_that_dies_between_saves_repeats_no_line(tmp_path, monkeypatch):
  straight = train.run(tiny.config(steps=12), tmp_path / 'a')
  add = record.Metrics.add

  def dying(self, step, values):
    if step == 8:
      raise Killed
    add(self, step, values)

  with monkeypatch.context() as m:
    m.setattr(record.Metrics, 'add', dying)
    with pytest.raises(Killed):
      train.run(tiny.config(steps=12), tmp_path / 'b')
  resumed = train.run(tiny.config(steps=12), tmp_path / 'b')
  assert straight['state_sha256'] == resumed['state_sha256']
  assert metrics_of(tmp_path / 'a') == metrics_of(tmp_path / 'b')


def losses_on(system, devices, tmp_path):
  config = tiny.config(system, steps=5, log_every=1)
  config.devices = devices
  for section in config.evals.values():
    section.run = False
  train.run(config, tmp_path / str(devices))
  return [line['loss'] for line in metrics_of(tmp_path / str(devices))]


@pytest.mark.parametrize('system', SYSTEMS)
def test_eight_devices_have_the_losses_of_one(system, tmp_path):
  one = losses_on(system, 1, tmp_path)
  assert len(set(one)) == 5
  np.testing.assert_allclose(losses_on(system, 8, tmp_path), one, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('devices', [2, 4])
@pytest.mark.parametrize('system', SYSTEMS)
def test_devices_do_not_change_the_losses(system, devices, tmp_path):
  np.testing.assert_allclose(losses_on(system, devices, tmp_path),
                             losses_on(system, 1, tmp_path), rtol=1e-5)


def test_another_seed_is_another_run(tmp_path):
  config = tiny.config(steps=2)
  config.seed = 1
  one = train.run(tiny.config(steps=2), tmp_path / 'a')
  assert one['state_sha256'] != train.run(config, tmp_path / 'b')[
      'state_sha256']


@pytest.mark.parametrize('system', ['swae', 'wae_gan'])
def test_the_step_is_traced_once(system, tmp_path, monkeypatch):
  traces = []
  config = tiny.config(system, steps=12)
  name = config.objective.name
  make = objectives.OBJECTIVES[name]

  @functools.wraps(make)
  def counted(*args, **options):
    objective = make(*args, **options)
    return objective._replace(
        loss=lambda *args: traces.append(1) or objective.loss(*args))

  monkeypatch.setitem(objectives.OBJECTIVES, name, counted)
  train.run(config, tmp_path)
  assert len(traces) == 1


def test_the_step_donates_its_state():
  this = build.build(tiny.config())
  everywhere = mesh_lib.everywhere(this.mesh)
  state = mesh_lib.put(build.init(this), everywhere)
  images = mesh_lib.put(this.dataset.train.images, everywhere)
  indices = mesh_lib.put(np.arange(32, dtype=np.int32),
                         mesh_lib.spread(this.mesh))
  kept, _ = build.step(this)(state, images, indices)
  jax.block_until_ready(kept)
  assert all(x.is_deleted() for x in jax.tree.leaves(state.variables))
  assert images.dtype == np.uint8 and not images.is_deleted()


def test_a_finished_run_is_left_alone(tmp_path, capsys):
  first = train.run(tiny.config(), tmp_path)
  before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*')}
  assert train.run(tiny.config(), tmp_path) == first
  assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*')}
  assert 'already finished at step 10' in capsys.readouterr().out


def test_a_run_says_what_it_is_and_what_it_found(tmp_path, capsys):
  results = train.run(tiny.config(), tmp_path)
  train.run(tiny.config(steps=12), tmp_path)
  out = capsys.readouterr().out
  for words in ('new run', 'resuming at step 10', 'data      digits 8x8x1: '
                '1297 train', 'model/encoder', 'total', 'step 10/10',
                'reconstruction_error', 'samples.png', 'images/s'):
    assert words in out
  assert record.read_json(tmp_path / 'config.json')['latents'] == 2
  found = {m['name']: m for m in results['metrics']}
  assert found['reconstruction_error']['samples'] == 300
  assert math.isfinite(found['reconstruction_error']['value'])
  assert (tmp_path / 'images' / 'samples.png').exists()


@pytest.mark.parametrize('option,value', [
    ('objective.beta', .25), ('seed', 3), ('train.batch_size', 64),
    ('optimizers.model.learning_rate', .5), ('latents', 3)])
def test_a_workdir_of_another_run_is_refused(tmp_path, option, value):
  train.run(tiny.config(), tmp_path)
  other = tiny.config(steps=20)
  other.update_from_flattened_dict({option: value})
  before = (tmp_path / 'config.json').read_bytes()
  with pytest.raises(errors.UserError, match=f'{option} is .* there and'):
    train.run(other, tmp_path)
  assert (tmp_path / 'config.json').read_bytes() == before


def test_harmless_options_may_differ(tmp_path):
  train.run(tiny.config(steps=6), tmp_path)
  config = tiny.config(steps=8, log_every=1, save_every=3, keep=5)
  config.evals.knn.run = True
  config.devices = 2
  results = train.run(config, tmp_path)
  assert results['step'] == 8
  assert 'knn5_accuracy' in {m['name'] for m in results['metrics']}


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
  config = tiny.config(steps=40, log_every=1, save_every=1)
  config.optimizers.model.learning_rate = 1e30
  with pytest.raises(errors.Diverged, match='loss is (nan|inf) at step'):
    train.run(config, tmp_path)
  like = build.init(build.build(config))
  with checkpoint.Checkpoints(tmp_path / 'checkpoints') as checkpoints:
    state = checkpoints.restore(like)
  last = metrics_of(tmp_path)[-1]
  assert math.isfinite(last['loss'])
  assert int(state.step) <= last['step']


@pytest.mark.parametrize('option,value,words', [
    ('train.batch_size', 30, 'do not divide over 8 devices'),
    ('train.batch_size', 4096, 'batch size'),
    ('objective.components', 2000, '1297'),
    ('devices', 9, '8 here'),
    ('objective.similarity', 'l3', 'l3'),
    ('data.name', 'mnits', 'fashion_mnist'),
    ('objective.name', 'sliced', 'no option'),
    ('optimizers.model.name', 'sgd', 'adam'),
])
def test_refusals_come_before_anything_is_made(tmp_path, option, value, words):
  config = tiny.config()
  config.devices = 8
  config.update_from_flattened_dict({option: value})
  with pytest.raises(errors.UserError, match=words) as e:
    train.run(config, tmp_path / 'run')
  assert '\n' not in str(e.value)
  assert not (tmp_path / 'run').exists()


def test_an_image_size_that_the_network_cannot_take_is_named(tmp_path):
  config = systems.get_config('gmm', 'sliced')
  config.objective.cost = 'squared'
  config.train.batch_size = 8
  with pytest.raises(errors.UserError, match='1x1'):
    train.run(config, tmp_path)


def test_validation_keeps_the_best_state_and_stops(tmp_path, monkeypatch):
  losses = [5., 3., 4., 3., 2.]
  monkeypatch.setattr(
      train, 'validator', lambda *_: lambda state: losses[state.step // 40 - 1])
  config = tiny.config(steps=400, save_every=1000, log_every=100,
                       valid_every=1, patience=2, select='best')
  results = train.run(config, tmp_path)
  rows = [json.loads(line) for line in
          (tmp_path / 'valid.jsonl').read_text().splitlines()]
  assert rows == [{'step': 40 * (i + 1), 'loss': losses[i]} for i in range(4)]
  assert results['stopped_early'] and results['step'] == 160
  assert results['evaluated_step'] == 80  # Of equals the first.
  assert train.run(config, tmp_path) == results  # It has finished.


def test_validation_after_a_restart_knows_the_best(tmp_path, monkeypatch):
  config = tiny.config(steps=160, save_every=40, valid_every=1, select='best')
  straight = train.run(config, tmp_path / 'a')
  save = checkpoint.Checkpoints.save

  def dying(self, state):
    save(self, state)
    if self.directory.name == 'best' and state.step == 120:
      raise Killed

  with monkeypatch.context() as m:
    m.setattr(checkpoint.Checkpoints, 'save', dying)
    with pytest.raises(Killed):
      train.run(config, tmp_path / 'b')
  assert train.run(config, tmp_path / 'b')['metrics'] == straight['metrics']
  for name in ('valid.jsonl', 'metrics.jsonl'):
    assert ((tmp_path / 'a' / name).read_text()
            == (tmp_path / 'b' / name).read_text())
