"""The runs of a table, and the table: on tiny grids of digits."""
import csv
import functools
import itertools
import json
import math
import re
import shutil

import numpy as np
import pytest

from swae_jax import __main__ as commands
from swae_jax import errors, systems
from swae_jax.commands.tables import main, markdown, papers, runs
from swae_jax.commands.tables.papers import base
from swae_jax.training import choice, evaluation, resume, train
from swae_jax.workdir import files, metrics_log
import tiny

SWAE, VAE = 'digits-2-swae', 'digits-3-vae'


def config(cell):
  made = tiny.config(cell.system, {'latents': cell.latents}, steps=4)
  made.name = f'digits-{cell.latents}-{cell.system}'
  return made


def table(**fields):
  """Two cells: swae, and vae with another dimension of the code."""
  return base.Table(**{
      'title': 'A title', 'figures': {
          base.Cell('digits', 2, 'swae'): base.Figure('50.0'),
          base.Cell('digits', 3, 'vae'): base.Figure('60.0')},
      'config': config, 'metric': lambda cell: 'reconstruction_error',
      'better': 'lower', **fields})


def command(workdir, *args, of=None):
  """Does what the command does.  Returns the failures."""
  flags, given = main.parse(
      ['--table=x', f'--workdir={workdir}', '--seeds=0,1', *args])
  return main.run(of or table(), flags, given)


def rows(workdir):
  with (workdir / 'table.csv').open(newline='') as file:
    return list(csv.DictReader(file))


def text(workdir):
  return (workdir / 'table.md').read_text()


def results(workdir, name, seed=0):
  return files.read_json(workdir / name / f'seed{seed}' / 'results.json')


def states(workdir):
  return [runs.state(run)[0] for cell in table().figures for run in runs.runs(
      choice.chosen(config(cell)), (0, 1), workdir)]


def times(folder):
  return {p: p.stat().st_mtime_ns for p in folder.rglob('*')}


def patch_runs(monkeypatch, errors_by_name):
  """Makes runs fail by {part of the workdir: error}.  Returns the calls."""
  calls, once = [], train.run

  def run(config, workdir, *args):
    calls.append(workdir)
    for name, error in errors_by_name.items():
      if name in str(workdir):
        raise error
    return once(config, workdir, *args)

  monkeypatch.setattr(train, 'run', run)
  return calls


@pytest.fixture(scope='module')
def done(tmp_path_factory):
  """A workdir with all runs of the table, and how often losses were traced."""
  workdir, traces = tmp_path_factory.mktemp('table'), []

  def counting(make):
    @functools.wraps(make)
    def made(*args, **options):
      system = make(*args, **options)
      return system._replace(
          loss=lambda *args: traces.append(1) or system.loss(*args))
    return made

  with pytest.MonkeyPatch.context() as m:
    for name in ('swae', 'vae'):
      m.setitem(systems.SYSTEMS, name, counting(systems.SYSTEMS[name]))
    assert command(workdir) == []
  return workdir, len(traces)


def test_a_table_has_the_means_of_its_runs(done):
  workdir, _ = done
  values = [[results(workdir, name, seed)['metrics'][0]['value']
             for seed in (0, 1)] for name in (SWAE, VAE)]
  found = rows(workdir)
  for column, expected in (('mean', np.mean(values, 1)),
                           ('std', np.std(values, 1, ddof=1))):
    assert [float(r[column]) for r in found] == pytest.approx(
        expected, rel=1e-12)
  assert [(r['seeds'], r['samples']) for r in found] == [('2', '300')] * 2
  ours = f'{np.mean(values[0]):.2f} ± {np.std(values[0], ddof=1):.2f} (2)'
  assert (f'| digits | 2 | swae | reconstruction_error | {ours} | 50.0 | better'
          ' |') in text(workdir)
  assert '4 of 4 runs are done; 0 of 2 cells are blank' in text(workdir)
  assert (workdir / 'table.png').stat().st_size > 1000


def test_seeds_of_a_cell_compile_nothing_again(done):
  assert done[1] == 2  # One trace for each cell, none for its second seed.


def test_runs_that_have_ended_are_left_alone(done, capsys):
  before = times(done[0])
  assert command(done[0]) == []
  after = times(done[0])
  changed = {p.name for p in after if after[p] != before.get(p)}
  assert changed == {'table.md', 'table.csv', 'table.png'}
  assert 'run 1 of' not in capsys.readouterr().out


class Killed(Exception):
  pass


def test_the_same_command_goes_on_after_a_kill(tmp_path, done, monkeypatch):
  add = metrics_log.Metrics.add

  def dying(self, step, values):
    if 'vae/seed0' in str(self.path) and step == 4:
      raise Killed
    add(self, step, values)

  with monkeypatch.context() as m:
    m.setattr(metrics_log.Metrics, 'add', dying)
    with pytest.raises(Killed):
      command(tmp_path)
  assert states(tmp_path) == ['done', 'done', 'begun', 'missing']
  first = times(tmp_path / SWAE)
  assert command(tmp_path) == []
  assert states(tmp_path) == ['done'] * 4
  assert times(tmp_path / SWAE) == first
  assert rows(tmp_path) == rows(done[0])


def test_shards_make_each_run_once():
  for count in (1, 2, 3, 7):
    parts = [runs.shard(list(range(5)), i, count) for i in range(count)]
    assert sorted(itertools.chain(*parts)) == list(range(5))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_machines_share_the_runs(tmp_path, done):
  command(tmp_path, '--shard=1/2')
  assert {p.parent.name for p in tmp_path.glob('*/*/cell.json')} == {'seed1'}
  assert '2 of 4 runs are done, 2 missing' in text(tmp_path)
  command(tmp_path, '--shard=0/2')
  command(tmp_path, '--only_write')
  assert rows(tmp_path) == rows(done[0])


def test_runs_that_are_missing_are_blank_and_counted(tmp_path, capsys):
  command(tmp_path, '--only_write')
  assert '0 of 4 runs are done, 4 missing; 2 of 2 cells' in text(tmp_path)
  assert ('| digits | 2 | swae | reconstruction_error |  | 50.0 | not run |'
          ) in text(tmp_path)
  assert [(r['mean'], r['seeds'], r['mark']) for r in rows(tmp_path)] == [
      ('', '0', 'not run')] * 2
  capsys.readouterr()
  command(tmp_path, '--list', '--dim=3')
  assert capsys.readouterr().out == (
      f'{VAE}  seed 0  missing\n{VAE}  seed 1  missing\n')


def test_a_run_that_diverges_is_marked_and_the_others_go_on(
    tmp_path, monkeypatch):
  calls = patch_runs(monkeypatch, {
      'vae': errors.Diverged('the loss is nan at step 3; try less')})
  assert command(tmp_path) == [] == command(tmp_path)
  assert len(calls) == 4  # It would diverge again, and is not tried.
  assert '|  | 60.0 | diverged |' in text(tmp_path)
  assert f'- {VAE}/seed0: diverged: the loss is nan at step 3' in text(tmp_path)
  assert '2 of 4 runs are done, 2 diverged; 1 of 2 cells' in text(tmp_path)


def test_a_seed_that_diverges_is_counted_beside_the_others(tmp_path, done):
  shutil.copytree(done[0], tmp_path / 'copy')
  path = tmp_path / 'copy' / VAE / 'seed1' / 'cell.json'
  files.write_json(path, files.read_json(path) | {'state': 'diverged'})
  command(tmp_path / 'copy', '--only_write')
  row = rows(tmp_path / 'copy')[1]
  assert row['seeds'] == '1' and row['mark'].endswith(', 1 diverged')


def test_a_run_that_fails_is_tried_again_and_the_others_go_on(
    tmp_path, monkeypatch):
  with monkeypatch.context() as m:
    patch_runs(m, {'swae': errors.MissingData('no file')})
    failed = command(tmp_path)
  assert [(run.name, str(e)) for run, e in failed] == [(SWAE, 'no file')] * 2
  assert [r['mark'] for r in rows(tmp_path)][0] == 'failed'
  assert command(tmp_path) == []
  assert all(r['seeds'] == '2' for r in rows(tmp_path))


@pytest.mark.parametrize('error, calls', [
    (errors.Stopped('stopped', 15), 1), (errors.SaveFailed('disk full'), 1),
    (errors.Busy('in use'), 4)])
def test_some_errors_end_a_run_and_others_the_table(
    error, calls, tmp_path, monkeypatch):
  seen = patch_runs(monkeypatch, {'': error})
  if calls == 1:
    with pytest.raises(type(error)):
      command(tmp_path)
  else:
    assert len(command(tmp_path)) == calls
  assert len(seen) == calls
  assert not list(tmp_path.glob('*/*/cell.json'))


@pytest.mark.parametrize('content', ['', '{}', '[]', '{"state": "do'])
def test_a_damaged_cell_is_named_and_made_again(
    content, tmp_path, done, capsys):
  shutil.copytree(done[0], tmp_path / 'copy')
  cell = tmp_path / 'copy' / SWAE / 'seed0' / 'cell.json'
  good = cell.read_text()
  cell.write_text(content)
  command(tmp_path / 'copy', '--list')
  line = capsys.readouterr().out.splitlines()[0]
  assert line.startswith(SWAE) and 'begun: cell.json is damaged' in line
  assert command(tmp_path / 'copy') == []
  assert cell.read_text() == good


@pytest.mark.parametrize('flags, words', [
    ((), 'than the data that are there now'), (['--only_write'], 'than those')])
def test_runs_on_different_data_are_not_mixed(flags, words, tmp_path, done):
  shutil.copytree(done[0], tmp_path / 'copy')
  path = tmp_path / 'copy' / SWAE / 'seed1' / 'results.json'
  found = files.read_json(path)
  found['data']['fingerprint']['classes'] = 9
  files.write_json(path, found)
  with pytest.raises(errors.UserError, match=f'{words}.*classes differ'):
    command(tmp_path / 'copy', *flags)


def test_other_options_are_not_mixed_and_not_overwritten(tmp_path):
  only = '--system=swae', '--seeds=0'
  command(tmp_path, *only)
  cell = tmp_path / SWAE / 'seed0' / 'cell.json'
  before = cell.read_bytes()
  (_, error), = command(tmp_path, *only, '--config.system.swae.beta=0.25')
  assert 'holds another run' in str(error)
  assert cell.read_bytes() == before
  assert 'system.swae.beta is 0.5 there and 0.25 here' in text(tmp_path)
  assert 'config.system.swae.beta is 0.25' in text(tmp_path)
  assert '1 other options' in text(tmp_path)
  assert rows(tmp_path)[0]['mean'] == ''


def test_options_are_set_in_the_runs_that_have_them():
  made = runs.configs(table(), table().figures, {
      'train.epochs': '3', 'system.swae.beta': '.25', 'network.name': 'avgpool',
      'network.avgpool.hidden': '4', 'evals.knn.run': 'true'})
  swae, vae = made.values()
  for one in (swae, vae):
    assert one.train.epochs == 3 and one.evals.knn.run is True
    assert one.network.to_dict()['name'] == 'avgpool'
    assert one.network.avgpool.hidden == 4 and 'mlp' not in one.network
  assert swae.system.swae.beta == .25 and 'swae' not in vae.system


def test_a_scaled_grid_says_so(tmp_path):
  own = config(base.Cell('digits', 2, 'swae')).train.epochs
  command(tmp_path, '--epochs=3', '--only_write')
  assert text(tmp_path).startswith(
      f'# A title, scaled down: 3 epoch(s) a run in place of {own}\n')
  command(tmp_path, f'--epochs={own}', '--only_write')
  assert text(tmp_path).startswith('# A title\n')


def test_an_evaluator_turned_on_later_is_run_on_the_old_weights(
    tmp_path, monkeypatch):
  only = '--system=swae', '--seeds=0'
  command(tmp_path, *only)
  before, calls = results(tmp_path, SWAE)['weights_sha256'], []
  again = evaluation.again
  monkeypatch.setattr(evaluation, 'again',
                      lambda *args: calls.append(args) or again(*args))
  accuracy = table(metric=lambda cell: 'knn5_accuracy', also='recon.*')
  for _ in range(2):
    command(tmp_path, *only, '--config.evals.knn.run=true', of=accuracy)
  assert len(calls) == 1
  assert results(tmp_path, SWAE)['weights_sha256'] == before
  first, second = rows(tmp_path)
  assert first['metric'] == 'knn5_accuracy' and first['mean']
  assert second['metric'] == 'reconstruction_error' and not second['mark']


@pytest.mark.parametrize('values, figure, better, mark', [
    ((.974,), ('0.97',), 'higher', 'equal (rounding)'),
    ((.975,), ('0.97',), 'higher', 'equal (rounding)'),
    ((.976,), ('0.97',), 'higher', 'better'),
    ((.976,), ('0.97',), 'lower', 'worse'),
    ((.9,), ('0.97',), 'higher', 'worse'),
    ((.9,), ('0.97',), 'lower', 'better'),
    ((.94, .96), ('0.96',), 'higher', 'equal (deviation)'),  # .95 +- .0141
    ((.94, .96), ('0.962',), 'higher', 'equal (deviation)'),
    ((.94, .96), ('0.97',), 'higher', 'worse'),
    ((30.2,), ('30.11', '0.14'), 'lower', 'equal (deviation)'),
    ((30.3,), ('30.11', '0.14'), 'lower', 'worse'),
    ((24.4,), ('24',), 'lower', 'equal (rounding)'),
    ((24.6,), ('24',), 'lower', 'worse'),
    ((math.nan, .97), ('0.97',), 'higher', 'worse'),
])
def test_marks(values, figure, better, mark):
  assert markdown.mark(values, base.Figure(*figure), better) == mark


def test_two_cells_may_share_a_run(tmp_path):
  twin = table(config=lambda cell: config(base.Cell('digits', 2, 'swae')))
  command(tmp_path, '--seeds=0', of=twin)
  assert len(list(tmp_path.glob('*/*/cell.json'))) == 1
  first, second = rows(tmp_path)
  assert first['mean'] == second['mean'] != ''
  assert '1 of 1 runs are done' in text(tmp_path)


@pytest.mark.parametrize('args, words', [
    ('--shard=2/2', 'parts go from 0 to 1'), ('--shard=x', '0/4'),
    ('--seeds=a', '--seeds=a'), ('--dim=9', 'the table has 8, 40, 80'),
    ('--system=vea', 'the table has swae(beta=1), swae(beta=0.5)'),
    ('--config.nothing=1', "--config.nothing: there is no"),
    ('--config.latents=many', '--config.latents=many: it must be a whole'),
    ('--config.train.epochs=-1', '--config.train.epochs=-1'),
    ('--epochs=-1', '--epochs: -1'), ('--sedes=1', 'is no flag'),
    ('--table=swae_tabel1', "did you mean 'swae_table1'?"),
    ('--table=no.py', 'there is no such file')])
def test_a_mistake_is_one_line(tmp_path, args, words, capsys):
  with pytest.raises(SystemExit) as e:
    commands.run(['tables', '--table=swae_table1',
                  f'--workdir={tmp_path / "new"}', '--only_write', args])
  err = capsys.readouterr().err
  assert e.value.code == 2 and words in err, err
  assert len(err.strip().splitlines()) == 1
  assert not (tmp_path / 'new').exists()


def test_the_command_ends_with_the_code_of_a_failure(monkeypatch, tmp_path):
  own = tmp_path / 'my table.py'
  own.write_text('get_table = lambda: 7')
  seen = []
  monkeypatch.setattr(main, 'run', lambda table, *_: seen.append(table) or [
      (None, errors.MissingData('no file'))])
  with pytest.raises(SystemExit) as e:
    commands.run(['tables', f'--table={own}', '--workdir=x'])
  assert e.value.code == 66 and seen == [7]


with base.FIGURES.open(newline='') as _file:
  PRINTED = list(csv.DictReader(_file))


def test_every_figure_of_the_papers_has_a_table():
  assert {row['table'] for row in PRINTED} == papers.TABLES.keys()


@pytest.mark.parametrize('name', papers.TABLES)
def test_a_table_of_a_paper_has_all_its_figures(name):
  found = papers.TABLES[name]()
  want = [row for row in PRINTED if row['table'] == name]
  assert len(found.figures) == len(want)
  assert {found.better} == {row['better'] for row in want}
  for row in want:
    assert found.figures[base.Cell(
        row['dataset'], int(row['latents']), row['system'])] == (
            row['value'], row['std'], row['source'])
    assert row['source']


@pytest.mark.parametrize('name', papers.TABLES)
def test_a_cell_is_the_run_that_its_names_say(name):
  found = papers.TABLES[name]()
  for cell in found.figures:
    made = choice.chosen(found.config(cell))
    column, _, beta = cell.system.rstrip(')').partition('(beta=')
    assert made.data.name == cell.dataset and made.latents == cell.latents
    assert made.system.name == column.partition('_')[0]
    if column.startswith('wae'):
      assert made.penalty.name == column.partition('_')[2]
    if beta and beta != 'best':
      assert made.system.swae.beta == float(beta)
    for evaluator, options in found.evals:
      assert options.items() <= dict(made.evals[evaluator]).items()


def test_runs_of_one_name_are_one_run_in_all_tables():
  seen = {}
  for get_table in papers.TABLES.values():
    found = get_table()
    for cell in found.figures:
      made = choice.chosen(found.config(cell))
      old = seen.setdefault(made.name, made)
      stored = json.loads(json.dumps(old.to_dict()))
      assert resume.differing(stored, made) == {}, made.name


@pytest.mark.parametrize('name, system, compared, also', [
    ('wae_table1', 'vae', ['fid2048_10k'], ['fid2048_10k_floor']),
    ('swae_table2', 'mim', ['fid2048_2k_swae_paper'],
     ['fid2048_10k', 'fid2048_2k_swae_paper_floor']),
    ('swae_table1', 'swae(beta=1)', ['knn5_accuracy'],
     ['knn5_accuracy', 'knn5_accuracy_sampled_code']),
    ('swae_table1', 'vampprior', ['knn5_accuracy_sampled_code'],
     ['knn5_accuracy', 'knn5_accuracy_sampled_code'])])
def test_a_figure_is_compared_with_the_metric_of_its_protocol(
    name, system, compared, also):
  every = ('fid2048_10k', 'fid2048_10k_floor', 'fid2048_2k_swae_paper',
           'fid2048_2k_swae_paper_floor', 'fid64_10k', 'kid2048_10k',
           'fid2048_10k_reconstructions', 'fd_classifier_10k', 'knn1_accuracy',
           'knn5_accuracy', 'knn5_accuracy_sampled_code')
  fit = lambda pattern: [n for n in every if re.fullmatch(pattern, n)]
  found = papers.TABLES[name]()
  cell = next(c for c in found.figures if c.system == system)
  assert fit(found.metric(cell)) == compared and fit(found.also) == also
