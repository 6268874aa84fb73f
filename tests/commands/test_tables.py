"""The runs of a table, and the table: on tiny grids of digits."""
import csv
import functools
import importlib
import itertools
import json
import math
import pathlib
import re
import shutil
import sys

import numpy as np
import pytest

from configs.tables import base
from swae_jax import errors, systems
from swae_jax.commands.tables import main, markdown, runs
from swae_jax.training import evaluation, train, resume
from swae_jax.workdir import files, metrics_log
import tiny

ROOT = pathlib.Path(__file__).parent.parent
PAPER_TABLES = sorted(p.stem for p in (ROOT / 'configs/tables').glob('*_*.py'))


def config(cell):
  made = tiny.config(cell.system.partition('(')[0], steps=4)
  made.latents = cell.latents
  made.name = f'digits-{cell.latents}-{cell.system}'
  return made


def table(*figures, **options):
  """Two cells: swae, and the same with another code."""
  cells = base.Cell('digits', 2, 'swae'), base.Cell('digits', 3, 'vae')
  known = [base.Figure(*f) for f in figures or (('50.0',), ('60.0',))]
  return base.Table('A title', dict(zip(cells, known, strict=True)), config,
                    'reconstruction_error', **{'better': 'lower', **options})


def command(workdir, *args, of=None):
  """Does what the command does.  Returns the failures."""
  flags, options = main.parse(
      ['--table=x', f'--workdir={workdir}', '--seeds=0,1', *args])
  return main.run(of or table(), flags, options)


def rows(workdir):
  with (workdir / 'table.csv').open(newline='') as file:
    return list(csv.DictReader(file))


def times(folder):
  return {p: p.stat().st_mtime_ns for p in folder.rglob('*')}


@pytest.fixture(scope='module')
def done(tmp_path_factory):
  """A workdir with all runs of the table, and its traces of the losses."""
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
      m.setitem(systems.SYSTEMS, name,
                counting(systems.SYSTEMS[name]))
    assert command(workdir) == []
  return workdir, len(traces)


def test_a_table_has_the_means_of_its_runs(done):
  workdir, _ = done
  values = [[files.read_json(workdir / name / f'seed{seed}' / 'results.json')[
      'metrics'][0]['value'] for seed in (0, 1)]
            for name in ('digits-2-swae', 'digits-3-vae')]
  found = rows(workdir)
  assert [float(r['mean']) for r in found] == pytest.approx(
      np.mean(values, 1), rel=1e-12)
  assert [float(r['std']) for r in found] == pytest.approx(
      np.std(values, 1, ddof=1), rel=1e-12)
  assert [r['seeds'] for r in found] == ['2', '2']
  assert [r['samples'] for r in found] == ['300', '300']
  text = (workdir / 'table.md').read_text()
  assert f'{np.mean(values[0]):.2f} ± {np.std(values[0], ddof=1):.2f} (2)' in (
      text)
  assert '4 of 4 runs are done; 0 of 2 cells are blank' in text
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
    if 'vae/seed0' in str(getattr(self.file, 'name', '')) and step == 4:
      raise Killed
    add(self, step, values)

  with monkeypatch.context() as m:
    m.setattr(metrics_log.Metrics, 'add', dying)
    with pytest.raises(Killed):
      command(tmp_path)
  states = lambda: [runs.state(run)[0] for cell in table().figures
                    for run in runs.runs(config(cell), (0, 1), tmp_path)]
  assert states() == ['done', 'done', 'begun', 'missing']
  first = times(tmp_path / 'digits-2-swae')
  assert command(tmp_path) == []
  assert states() == ['done'] * 4
  assert times(tmp_path / 'digits-2-swae') == first
  assert rows(tmp_path) == rows(done[0])


def test_shards_make_each_run_once():
  for count in (1, 2, 3, 7):
    parts = [runs.shard(list(range(5)), i, count) for i in range(count)]
    assert sorted(itertools.chain(*parts)) == list(range(5))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_machines_share_the_runs(tmp_path, done):
  command(tmp_path, '--shard=1/2')
  assert {p.parent.name for p in tmp_path.glob('*/*/cell.json')} == {'seed1'}
  assert '2 of 4 runs are done, 2 missing' in (
      tmp_path / 'table.md').read_text()
  command(tmp_path, '--shard=0/2')
  command(tmp_path, '--only_write')
  assert rows(tmp_path) == rows(done[0])


def test_what_is_not_there_is_blank_and_counted(tmp_path, capsys):
  command(tmp_path, '--only_write')
  text = (tmp_path / 'table.md').read_text()
  assert '0 of 4 runs are done, 4 missing; 2 of 2 cells are blank' in text
  assert '| digits | 2 | swae |  | 50.0 | not run |' in text
  assert [(r['mean'], r['seeds'], r['mark']) for r in rows(tmp_path)] == [
      ('', '0', 'not run')] * 2
  command(tmp_path, '--list', '--dim=3')
  out = capsys.readouterr().out
  assert re.search(r'digits-3-vae +1 +missing', out)
  assert 'digits-2-swae     ' not in out


def test_a_run_that_diverges_is_marked_and_the_others_go_on(
    tmp_path, monkeypatch):
  calls, once = [], loop.run

  def run(config, workdir, like=None):
    calls.append(workdir)
    if 'vae' in str(workdir):
      raise errors.Diverged('the loss is nan at step 3; try less')
    return once(config, workdir, like)

  monkeypatch.setattr(loop, 'run', run)
  assert command(tmp_path) == [] == command(tmp_path)
  assert len(calls) == 4  # It would diverge again, and is not tried.
  text = (tmp_path / 'table.md').read_text()
  assert '| digits | 3 | vae |  | 60.0 | diverged |' in text
  assert '- digits-3-vae/seed0: diverged: the loss is nan at step 3' in text
  assert '2 of 4 runs are done, 2 diverged; 1 of 2 cells' in text


def test_a_seed_that_diverges_is_counted_beside_the_others(tmp_path, done):
  shutil.copytree(done[0], tmp_path / 'copy')
  path = tmp_path / 'copy/digits-3-vae/seed1/cell.json'
  files.write_json(path, files.read_json(path) | {'state': 'diverged'})
  command(tmp_path / 'copy', '--only_write')
  row = rows(tmp_path / 'copy')[1]
  assert row['seeds'] == '1' and row['mark'].endswith(', 1 diverged')


def test_a_run_that_fails_is_tried_again_and_the_others_go_on(
    tmp_path, monkeypatch):
  with monkeypatch.context() as m:
    once = loop.run

    def run(config, workdir, like=None):
      if 'swae' in str(workdir):
        raise errors.MissingData('no file')
      return once(config, workdir, like)

    m.setattr(loop, 'run', run)
    failed = command(tmp_path)
  assert [(run.name, str(e)) for run, e in failed] == [
      ('digits-2-swae', 'no file')] * 2
  assert [r['mark'] for r in rows(tmp_path)][0] == 'failed'
  assert command(tmp_path) == []
  assert all(r['seeds'] == '2' for r in rows(tmp_path))


@pytest.mark.parametrize('error,calls', [
    (errors.Stopped('stopped', 15), 1), (errors.SaveFailed('disk full'), 1),
    (errors.Busy('in use'), 4)])
def test_what_stops_one_run_or_all(error, calls, tmp_path, monkeypatch):
  seen = []

  def run(config, workdir, like=None):
    seen.append(workdir)
    raise error

  monkeypatch.setattr(loop, 'run', run)
  try:
    failed = command(tmp_path)
  except errors.UserError as e:
    assert e is error and calls == 1
  else:
    assert len(failed) == 4
  assert len(seen) == calls
  assert not list(tmp_path.glob('*/*/cell.json'))


def test_other_options_are_not_mixed_and_not_overwritten(tmp_path, done):
  only = '--system=swae', '--seeds=0'
  command(tmp_path, *only)
  before = (tmp_path / 'digits-2-swae/seed0/cell.json').read_bytes()
  other = '--config.system.beta=0.25'
  (_, error), = command(tmp_path, *only, other)
  assert 'holds another run' in str(error)
  assert (tmp_path / 'digits-2-swae/seed0/cell.json').read_bytes() == before
  text = (tmp_path / 'table.md').read_text()
  assert 'system.beta is 0.5 there and 0.25 here' in text
  assert 'config.system.beta is 0.25' in text and '1 other options' in text
  assert rows(tmp_path)[0]['mean'] == ''


def test_a_scaled_grid_says_so(tmp_path):
  command(tmp_path, '--epochs=3', '--only_write')
  assert (tmp_path / 'table.md').read_text().startswith(
      '# A title, scaled down: 3 epoch(s) a run in place of 100\n')
  command(tmp_path, '--epochs=100', '--only_write')
  assert (tmp_path / 'table.md').read_text().startswith('# A title\n')
  made = runs.configs(table(), table().figures, {'train.epochs': '3'})
  assert {c.train.epochs for c in made.values()} == {3}


def test_an_evaluator_turned_on_later_is_run_on_what_is_there(
    tmp_path, monkeypatch):
  only = '--system=swae', '--seeds=0'
  command(tmp_path, *only)
  weights = lambda: files.read_json(
      tmp_path / 'digits-2-swae/seed0/results.json')['weights_sha256']
  before, calls = weights(), []
  again = evaluation.again
  monkeypatch.setattr(evaluation, 'again',
                      lambda *args: calls.append(args) or again(*args))
  accuracy = table()._replace(metrics='knn5_accuracy', also='recon.*')
  for _ in range(2):
    command(tmp_path, *only, '--config.evals.knn.run=true', of=accuracy)
  assert len(calls) == 1 and weights() == before
  found = rows(tmp_path)
  assert [r['metric'] for r in found] == [
      'knn5_accuracy', 'reconstruction_error']
  assert found[0]['mean'] and found[1]['mark'] == ''


@pytest.mark.parametrize('values,figure,better,mark', [
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


def test_one_run_can_stand_in_two_cells(tmp_path):
  twin = table()._replace(config=lambda cell: config(
      base.Cell('digits', 2, 'swae')))
  command(tmp_path, '--seeds=0', of=twin)
  assert len(list(tmp_path.glob('*/*/cell.json'))) == 1
  first, second = rows(tmp_path)
  assert first['mean'] == second['mean'] != ''
  assert '1 of 1 runs are done' in (tmp_path / 'table.md').read_text()


@pytest.mark.parametrize('args,words', [
    (['--shard=2/2'], 'parts go from 0 to 1'), (['--shard=x'], '0/4'),
    (['--seeds=a'], '--seeds=a'), (['--dim=9'], 'the table has 2, 3'),
    (['--system=vea'], 'the table has swae, vae'),
    (['--config.nothing=1'], "an option 'nothing'"),
    (['--config.latents=many'], 'it is such as 2'),
    (['--sedes=1'], 'is no flag')])
def test_a_mistake_is_one_line(tmp_path, args, words):
  with pytest.raises(errors.UserError, match=re.escape(words)) as e:
    command(tmp_path / 'new', *args)
  assert '\n' not in str(e.value)
  assert not (tmp_path / 'new').exists()


def test_the_command_ends_with_the_code_of_a_failure(monkeypatch, capsys):
  monkeypatch.chdir(ROOT)
  for args in (['--table=none', '--workdir=x'], ['--table=swae_table1'], []):
    with pytest.raises(SystemExit) as e:
      main.main(args)
    assert e.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
  monkeypatch.setattr(main, 'run', lambda *_: [
      (None, errors.MissingData('no file'))])
  with pytest.raises(SystemExit) as e:
    main.main(['--table=swae_table1', '--workdir=x'])
  assert e.value.code == 66


def of_paper(name):
  return importlib.import_module(f'configs.tables.{name}').get_table()


@pytest.mark.parametrize('name', PAPER_TABLES)
def test_a_table_of_a_paper_has_all_its_figures(name):
  found = of_paper(name)
  with base.PAPERS.open(newline='') as file:
    want = [row for row in csv.DictReader(file) if row['table'] == name]
  assert want and {tuple(map(str, cell)) for cell in found.figures} == {
      (row['dataset'], row['latents'], row['system']) for row in want}
  assert len(found.figures) == len(want)
  assert {found.better} == {row['better'] for row in want}
  for row in want:
    figure = found.figures[base.Cell(
        row['dataset'], int(row['latents']), row['system'])]
    assert (figure.value, figure.std) == (row['value'], row['std'])
    assert figure.source == row['source'] != ''


def test_no_figure_of_the_papers_is_without_a_table():
  with base.PAPERS.open(newline='') as file:
    assert {row['table'] for row in csv.DictReader(file)} == set(PAPER_TABLES)


@pytest.mark.parametrize('name', PAPER_TABLES)
def test_a_cell_is_the_run_that_its_names_say(name):
  found = of_paper(name)
  for cell in found.figures:
    made = found.config(cell)
    system, _, beta = cell.system.rstrip(')').partition('(beta=')
    assert made.data.name == cell.dataset and made.latents == cell.latents
    assert made.system.name == system
    if beta and beta != 'best':
      assert made.system.beta == float(beta)
    for evaluator, options in found.evals:
      assert made.evals[evaluator].run
      assert options.items() <= dict(made.evals[evaluator]).items()


def test_runs_of_one_name_are_one_run_in_all_tables():
  seen = {}
  for name in PAPER_TABLES:
    found = of_paper(name)
    for cell in found.figures:
      made = found.config(cell)
      old = seen.setdefault(made.name, made)
      stored = json.loads(json.dumps(old.to_dict()))
      assert resume.differing(stored, made) == {}, made.name


def test_an_fid_is_filled_from_nothing_else():
  wae, swae = of_paper('wae_table1'), of_paper('swae_table2')
  every = ('fid2048_10k', 'fid2048_10k_floor', 'fid2048_2k_swae_paper',
           'fid2048_2k_swae_paper_floor', 'fid64_10k', 'kid2048_10k',
           'fid2048_10k_reconstructions', 'fd_classifier_10k')
  fit = lambda pattern: [n for n in every if re.fullmatch(pattern, n)]
  assert fit(wae.metrics) == ['fid2048_10k']
  assert fit(wae.also) == ['fid2048_10k_floor']
  assert fit(swae.metrics) == ['fid2048_2k_swae_paper']
  assert fit(swae.also) == ['fid2048_10k', 'fid2048_2k_swae_paper_floor']


@pytest.mark.parametrize('name', PAPER_TABLES)
def test_the_docstring_has_the_command(name, monkeypatch):
  module = importlib.import_module(f'configs.tables.{name}')
  assert f'python -m swae_jax.tables --table={name} ' in module.__doc__
  monkeypatch.chdir(ROOT)
  assert main.load(name).figures == of_paper(name).figures
  assert sys.modules[f'configs.tables.{name}'] is module
