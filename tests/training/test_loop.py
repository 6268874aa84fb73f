"""The one loop: resume, devices, refusals, and the files of a run."""
import errno
import functools
import gc
import json
import math
import os
import shutil
from unittest import mock

import chex
import faults
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from swae_jax import errors, systems
from swae_jax.host import mesh as mesh_lib
from swae_jax.training import build, evaluation, presets, train, validation
from swae_jax.workdir import checkpoint, files, metrics_log
import tiny

# One system with and one without a second player; the others are slow.
SYSTEMS = [pytest.param(name, marks=() if name in ('swae', 'wae_gan')
                        else pytest.mark.slow) for name in presets.SETTINGS]


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


def killed(*_):
  raise Killed


def test_a_run_that_dies_between_saves_repeats_no_line(tmp_path, monkeypatch):
  straight = train.run(tiny.config(steps=12), tmp_path / 'a')
  add = metrics_log.Metrics.add

  def dying(self, step, values):
    if step == 8:
      raise Killed
    add(self, step, values)

  with monkeypatch.context() as m:
    m.setattr(metrics_log.Metrics, 'add', dying)
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


def same(losses, others):
  # With ten times a discrepancy that is negative, terms are above their sum.
  np.testing.assert_allclose(losses, others, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('system', SYSTEMS)
def test_eight_devices_have_the_losses_of_one(system, tmp_path):
  one = losses_on(system, 1, tmp_path)
  assert len(set(one)) == 5
  same(losses_on(system, 8, tmp_path), one)


@pytest.mark.slow
@pytest.mark.parametrize('devices', [2, 4])
@pytest.mark.parametrize('system', SYSTEMS)
def test_devices_do_not_change_the_losses(system, devices, tmp_path):
  same(losses_on(system, devices, tmp_path), losses_on(system, 1, tmp_path))


def test_another_seed_is_another_run(tmp_path):
  config = tiny.config(steps=2)
  config.seed = 1
  one = train.run(tiny.config(steps=2), tmp_path / 'a')
  assert one['state_sha256'] != train.run(config, tmp_path / 'b')[
      'state_sha256']


@pytest.mark.parametrize('system', ['swae', 'wae_gan'])
def test_the_step_is_traced_once(system, tmp_path, monkeypatch):
  chex.clear_trace_counter()
  traces = []
  config = tiny.config(system, steps=12)
  name = config.system.name
  make = systems.SYSTEMS[name]

  @functools.wraps(make)
  def counted(*args, **options):
    made = make(*args, **options)
    once = chex.assert_max_traces(made.loss, n=1)
    return made._replace(loss=lambda *args: traces.append(1) or once(*args))

  monkeypatch.setitem(systems.SYSTEMS, name, counted)
  train.run(config, tmp_path)
  assert traces


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
  assert files.read_json(tmp_path / 'config.json')['latents'] == 2
  found = {m['name']: m for m in results['metrics']}
  assert found['reconstruction_error']['samples'] == 300
  assert math.isfinite(found['reconstruction_error']['value'])
  assert (tmp_path / 'images' / 'samples.png').exists()


@pytest.mark.parametrize('option,value', [
    ('system.swae.beta', .25), ('seed', 3), ('train.batch_size', 64),
    ('optimizers.model.learning_rate', .5), ('latents', 3)])
def test_a_workdir_of_another_run_is_refused(tmp_path, option, value):
  train.run(tiny.config(), tmp_path)
  other = tiny.config(options={option: value}, steps=20)
  before = (tmp_path / 'config.json').read_bytes()
  with pytest.raises(errors.UserError, match=f'{option}: .* vs'):
    train.run(other, tmp_path)
  assert (tmp_path / 'config.json').read_bytes() == before


def test_harmless_options_may_differ(tmp_path):
  train.run(tiny.config(steps=6), tmp_path)
  config = tiny.config(steps=8, log_every=1, save_every=3,
                       max_to_keep=5)
  config.evals.knn.run = True
  config.devices = 2
  results = train.run(config, tmp_path)
  assert results['step'] == 8
  assert 'knn5_accuracy' in {m['name'] for m in results['metrics']}


def test_a_changed_course_is_taken_if_asked_for_and_recorded(tmp_path, capsys):
  train.run(tiny.config(), tmp_path)
  other = tiny.config(steps=20)
  other.system.swae.beta = .25
  train.run(other, tmp_path, allow_config_change=True)
  assert 'system.swae.beta: 0.5 (checkpoint) vs 0.25' in capsys.readouterr().out
  change, = (json.loads(line) for line in
             (tmp_path / 'config_changes.jsonl').read_text().splitlines())
  assert change['step'] == 10
  assert change['changes'] == {'system.swae.beta': [.5, .25]}
  assert files.read_json(tmp_path / 'config.json')['system']['swae'][
      'beta'] == .25
  other.latents = 3
  with pytest.raises(errors.UserError, match='latents: 2 .* vs 3 .now.; use'):
    train.run(other, tmp_path, allow_config_change=True)


def test_a_restart_sets_the_old_run_aside(tmp_path):
  first = train.run(tiny.config(), tmp_path)
  other = tiny.config()
  other.seed = 1
  assert train.run(other, tmp_path, restart=True)['seed'] == 1
  assert files.read_json(tmp_path / 'old-1' / 'results.json') == first
  assert (tmp_path / 'old-1' / 'checkpoints' / '10').is_dir()
  assert metrics_of(tmp_path / 'old-1') != metrics_of(tmp_path)


def sick(monkeypatch, name, bad, where='loss'):
  """A system that is not finite at the steps `bad`; compiled anew."""
  make = systems.SYSTEMS[name]

  @functools.wraps(make)
  def made(*args, **options):
    system = make(*args, **options)

    def loss(variables, x, key, step):
      value, (stats, metrics) = system.loss(variables, x, key, step)
      hit = jnp.isin(step, jnp.array(bad))
      if where == 'loss':
        value = jnp.where(hit, jnp.nan, value)
        return value, (stats, {**metrics, 'loss': value})
      first = jnp.sum(jax.tree.leaves(variables.params)[0])
      return value + _spike(first, hit), (stats, metrics)

    return system._replace(loss=loss)

  monkeypatch.setitem(systems.SYSTEMS, name, made)


@jax.custom_vjp
def _spike(x, hit):
  """Zero, with an infinite derivative where hit."""
  del hit
  return 0. * x


_spike.defvjp(lambda x, hit: (0. * x, hit),
              lambda hit, g: (jnp.where(hit, jnp.inf, 0. * g), None))


@pytest.mark.parametrize('where', [
    'gradient', pytest.param('loss', marks=pytest.mark.slow)])
def test_an_update_that_is_not_finite_is_skipped(where, tmp_path, monkeypatch):
  sick(monkeypatch, 'swae', [3, 4, 7], where)
  straight = train.run(tiny.config(steps=12), tmp_path / 'a')
  train.run(tiny.config(steps=9), tmp_path / 'b')
  resumed = train.run(tiny.config(steps=12), tmp_path / 'b')
  assert straight['state_sha256'] == resumed['state_sha256']
  like = build.init(build.build(tiny.config()))
  with checkpoint.Checkpoints(tmp_path / 'a' / 'checkpoints') as checkpoints:
    state = checkpoints.restore(like)
  assert list(state.skipped) == [3, 0] and state.step == 12
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(state))
  rows = metrics_of(tmp_path / 'a')
  assert [row.get('skipped', 0) for row in rows] == [0, 1, 2, 3, 3, 3]
  if where == 'loss':
    assert [row['loss'] is None for row in rows] == [
        False, True, False, True, False, False]


@pytest.mark.parametrize('where,words', [
    pytest.param('loss', 'the loss is nan at step 10; 5 .* from step 6 on',
                 marks=pytest.mark.slow),
    ('gradient', 'gradient by params/model/.* is not finite at step 10; 5 ')])
def test_many_skipped_updates_in_a_row_stop_the_run(
    where, words, tmp_path, monkeypatch):
  sick(monkeypatch, 'swae', list(range(5, 30)), where)
  config = tiny.config(steps=40, max_skipped=4, save_every=1)
  with pytest.raises(errors.Diverged, match=words) as e:
    train.run(config, tmp_path)
  assert e.value.code == 70
  like = build.init(build.build(config))
  with checkpoint.Checkpoints(tmp_path / 'checkpoints') as checkpoints:
    for step in checkpoints.steps():
      arrays = checkpoints.read(step)
      assert all(np.isfinite(x).all() for x in arrays.values())
    assert checkpoints.restore(like).step == 9


def test_a_state_that_is_not_finite_is_not_saved(tmp_path):
  """Gradients of 1e20 are finite, and their squares are not."""
  config = tiny.config('sliced', steps=20, save_every=5)
  config.optimizers.model.name = 'adam'
  config.system.wae.weight = 1e30
  with pytest.raises(errors.Diverged, match='not finite at step 5.*none is'):
    train.run(config, tmp_path)
  assert checkpoint.Checkpoints(tmp_path / 'checkpoints').steps() == []


def failing(monkeypatch, point, times, number):
  """The next `times` passes of a point raise an OSError."""
  left = list(range(times))

  def fail(name):
    if name == point and left:
      left.pop()
      raise OSError(number, os.strerror(number))
  for patch in faults.patches(fail):
    monkeypatch.setattr(*patch)


def test_a_full_disk_costs_a_checkpoint_and_not_the_run(
    tmp_path, monkeypatch, capsys):
  straight = train.run(tiny.config(steps=12, save_every=3), tmp_path / 'a')
  failing(monkeypatch, 'save', 2, errno.ENOSPC)
  results = train.run(tiny.config(steps=12, save_every=3), tmp_path / 'b')
  assert results['state_sha256'] == straight['state_sha256']
  out = capsys.readouterr().out
  assert ('disk full: save at 3 failed, none is there yet, trying again at 6'
          in out and 'save at 6 failed' in out and 'save at 9' not in out)
  assert metrics_of(tmp_path / 'a') == metrics_of(tmp_path / 'b')


def test_a_disk_that_stays_full_ends_with_a_code(tmp_path, monkeypatch):
  straight = train.run(tiny.config(steps=12, save_every=5), tmp_path / 'a')
  train.run(tiny.config(steps=5, save_every=5), tmp_path / 'b')
  with monkeypatch.context() as m:
    failing(m, 'save', 99, errno.ENOSPC)
    with pytest.raises(errors.SaveFailed, match='disk full: save at 12 failed,'
                       ' last good 5; make room') as e:
      train.run(tiny.config(steps=12, save_every=5), tmp_path / 'b')
  assert e.value.code == 74
  resumed = train.run(tiny.config(steps=12, save_every=5), tmp_path / 'b')
  assert resumed['state_sha256'] == straight['state_sha256']


def test_metrics_that_found_no_room_come_later(tmp_path, monkeypatch):
  config = tiny.config(steps=12, log_every=1, save_every=4)
  train.run(config, tmp_path / 'a')
  failing(monkeypatch, 'metrics', 6, errno.ENOSPC)
  train.run(config, tmp_path / 'b')
  assert metrics_of(tmp_path / 'a') == metrics_of(tmp_path / 'b')


def test_a_failure_that_passes_is_not_seen(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(checkpoint, 'PAUSES', (0., 0., 0.))
  failing(monkeypatch, 'save', 3, errno.EIO)
  train.run(tiny.config(), tmp_path)
  assert 'failed' not in capsys.readouterr().out
  assert {p.name for p in (tmp_path / 'checkpoints').iterdir()} == {'5', '10'}


# Orbax leaves an event loop behind when a file cannot be read.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_after_a_damaged_checkpoint_the_run_ends_the_same(tmp_path, capsys):
  config = tiny.config(steps=14, save_every=4)
  straight = train.run(config, tmp_path / 'a')
  train.run(tiny.config(steps=8, save_every=4), tmp_path / 'b')
  for path in (tmp_path / 'b' / 'checkpoints' / '8').rglob('d/*'):
    path.write_bytes(path.read_bytes()[:-1])
  assert train.run(config, tmp_path / 'b')['state_sha256'] == straight[
      'state_sha256']
  out = capsys.readouterr().out
  assert 'checkpoint 8 is damaged (' in out
  assert 'moved to corrupt-8; using 4' in out and 'resuming at step 4' in out
  assert {p.name for p in (tmp_path / 'b' / 'checkpoints').iterdir()} == {
      'corrupt-8', '12', '14'}
  for name in ('a', 'b'):
    rows = metrics_of(tmp_path / name)
    assert [row['step'] for row in rows] == [2, 4, 6, 8, 10, 12, 14]
  gc.collect()


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_damaged_best_state_is_refused_before_training(tmp_path):
  options = {'save_every': 40, 'valid_every': 1, 'select': 'best'}
  train.run(tiny.config(steps=40, **options), tmp_path)
  for path in (tmp_path / 'best' / '40').rglob('d/*'):
    path.write_bytes(path.read_bytes()[:-1])
  lines = (tmp_path / 'metrics.jsonl').read_bytes()
  with pytest.raises(errors.DamagedData, match='best: checkpoint 40 is') as e:
    train.run(tiny.config(steps=80, **options), tmp_path)
  assert '--config.train.select=last' in str(e.value)
  assert (tmp_path / 'metrics.jsonl').read_bytes() == lines
  options['select'] = 'last'  # The message names this option.
  results = train.run(tiny.config(steps=80, **options), tmp_path,
                      allow_config_change=True)
  assert results['evaluated_step'] == 80
  gc.collect()


@pytest.mark.parametrize('point', ['save', 'commit', 'results'])
@pytest.mark.parametrize('moved', [True, False])
def test_a_run_whose_workdir_is_gone_ends_and_makes_nothing(
    moved, point, tmp_path):
  workdir, passed = tmp_path / 'run', []

  def take_away(name):
    passed.append(name)
    if name == point and passed.count(name) == 1:
      if moved:
        workdir.rename(tmp_path / 'away')
      else:
        shutil.rmtree(workdir)
  config = tiny.config(steps=4, save_every=2)
  if point == 'results':  # The same, while it is evaluated.
    evaluate = evaluation.evaluate

    def evaluating(*args):
      take_away('results')
      return evaluate(*args)
    patch = mock.patch.object(evaluation, 'evaluate', evaluating)
  else:
    patch = faults.installed(take_away)
  with patch, pytest.raises(errors.Busy, match='no longer the workdir') as e:
    train.run(config, workdir)
  assert e.value.code == 75 and not workdir.exists()
  if moved:
    train.run(config, tmp_path / 'away')


def test_leftovers_of_a_kill_are_removed(tmp_path):
  train.run(tiny.config(), tmp_path)
  (tmp_path / 'results.json').unlink()
  checkpoints = tmp_path / 'checkpoints'
  for name in ('deleted/3', '12.orbax-checkpoint-tmp'):
    (checkpoints / name).mkdir(parents=True)
  train.run(tiny.config(), tmp_path)
  assert {p.name for p in checkpoints.iterdir()} == {'5', '10'}


def test_a_step_that_memory_cannot_hold_is_refused(tmp_path, monkeypatch):
  for there, words in ((40_000, 'examples needs .*--config.train.batch_size'),
                       (1000, 'the parameters need .*--config.network.mlp')):
    monkeypatch.setattr(mesh_lib, 'memory', lambda mesh, there=there: there)
    with pytest.raises(errors.UserError, match=words):
      train.run(tiny.config(), tmp_path)


def test_a_run_killed_after_an_early_stop_has_stopped(tmp_path, monkeypatch):
  losses = [1., 2., 3., 0., 0., 0., 0., 0., 0., 0.]
  monkeypatch.setattr(
      validation, 'mean_loss',
      lambda *_: lambda state: losses[state.step // 40 - 1])
  config = tiny.config(steps=400, save_every=1000, log_every=100,
                       valid_every=1, patience=2, select='best')
  with monkeypatch.context() as m:
    m.setattr(evaluation, 'evaluate', killed)
    with pytest.raises(Killed):
      train.run(config, tmp_path)
  results = train.run(config, tmp_path)
  assert results['stopped_early'] and results['step'] == 120
  assert results['evaluated_step'] == 40


@pytest.mark.parametrize('option,value,words', [
    ('train.batch_size', 30, 'do not divide over 8 devices'),
    ('train.batch_size', 4096, 'batch_size=4096'),
    ('system.swae.components', 2000, '1297'),
    ('devices', 9, 'there are 8 devices'),
    ('system.swae.similarity', 'l3', 'l3'),
    ('data.name', 'mnits', 'fashion_mnist'),
    ('system.name', 'sliced', 'swae, vae'),
    ('optimizers.model.name', 'sgd', 'adam'),
])
def test_refusals_come_before_anything_is_made(tmp_path, option, value, words):
  config = tiny.config(options={'devices': 8, option: value})
  with pytest.raises(errors.UserError, match=words) as e:
    train.run(config, tmp_path / 'run')
  assert '\n' not in str(e.value)
  assert not (tmp_path / 'run').exists()


def test_validation_needs_an_image_for_each_device():
  config = tiny.config('ae', {
      'data.name': 'gmm', 'data.gmm.size': 40, 'devices': 8}, valid_every=1)
  with pytest.raises(errors.UserError, match='give --config.devices=4'):
    build.build(config)


@pytest.mark.slow
def test_a_run_without_compiled_functions_trains(tmp_path):
  with jax.disable_jit():
    results = train.run(tiny.config('ae', steps=2, valid_every=1), tmp_path)
  assert results['step'] == 2 and results['metrics']


def test_an_image_size_that_the_network_cannot_take_is_named(tmp_path):
  config = tiny.config('ae', {'data.name': 'gmm', 'network.name': 'avgpool'})
  with pytest.raises(errors.UserError, match='1x1'):
    train.run(config, tmp_path)


def test_validation_keeps_the_best_state_and_stops(tmp_path, monkeypatch):
  losses = [5., 3., 4., 3., 2.]
  monkeypatch.setattr(
      validation, 'mean_loss',
      lambda *_: lambda state: losses[state.step // 40 - 1])
  config = tiny.config(steps=400, save_every=1000, log_every=100,
                       valid_every=1, patience=2, select='best')
  results = train.run(config, tmp_path)
  rows = [json.loads(line) for line in
          (tmp_path / 'valid.jsonl').read_text().splitlines()]
  assert rows == [{'step': 40 * (i + 1), 'loss': losses[i]} for i in range(4)]
  assert results['stopped_early'] and results['step'] == 160
  assert results['evaluated_step'] == 80  # The first of equal losses counts.
  assert train.run(config, tmp_path) == results  # It has finished.


def test_validation_after_a_restart_knows_the_best(tmp_path, monkeypatch):
  config = tiny.config(steps=160, save_every=40, valid_every=1, select='best')
  straight = train.run(config, tmp_path / 'a')
  save = checkpoint.Checkpoints.save

  def dying(self, state, logs=None):
    save(self, state, logs)
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
