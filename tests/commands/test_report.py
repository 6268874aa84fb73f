"""The page on a run, and on several."""
import base64
import html.parser
import io
import json
import os
import shutil
import xml.etree.ElementTree

from PIL import Image
import pytest

from swae_jax import __main__ as commands
from swae_jax import errors
from swae_jax.commands import captions, report
from swae_jax.training import train
from swae_jax.workdir import digests, files
import tiny

VOID = {'meta', 'img', 'br'}


class Page(html.parser.HTMLParser):
  """Checks that tags are balanced, and collects what a page has."""

  def __init__(self, text):
    super().__init__()
    self.open, self.images, self.rows, self.heads = [], {}, [], []
    self.links, self.tags, self.words = [], set(), ''
    self.feed(text)
    self.close()
    assert not self.open

  def handle_starttag(self, tag, attributes):
    self.tags.add(tag)
    found = dict(attributes)
    self.links += [found[k] for k in ('src', 'href') if k in found]
    if tag == 'img':
      self.images[found['alt']] = found['src']
    if tag == 'tr':
      self.rows.append([])
    if tag in ('td', 'th'):
      self.rows[-1].append('')
    if tag not in VOID:
      self.open.append(tag)

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    self.words += data
    if self.open and self.open[-1] in ('td', 'th'):
      self.rows[-1][-1] += data
    if self.open and self.open[-1] == 'h2':
      self.heads.append(data)

  def cell(self, *start):
    """The rest of the row that begins so."""
    row, = [r for r in self.rows if tuple(r[:len(start)]) == start]
    return row[len(start):]


@pytest.fixture(scope='module')
def two(tmp_path_factory):
  folder = tmp_path_factory.mktemp('runs')
  for name, seed in (('one', 0), ('two', 1)):
    config = tiny.config('swae', {'seed': seed, 'name': 'a <b>&"run"'}, steps=6)
    config.evals.knn.run = True
    train.run(config, folder / name)
  return folder


def test_a_page_stands_alone_and_has_everything(two):
  path = report.write([two / 'one'])
  assert path == two / 'one' / 'report.html'
  page = Page(path.read_text())
  assert page.links and all(
      link.startswith('data:image/') for link in page.links)
  assert not page.tags & {'script', 'link', 'iframe'}
  assert 'prefers-color-scheme: dark' in path.read_text()
  results = files.read_json(two / 'one' / 'results.json')
  for metric in results['metrics']:
    meaning = captions.metric(metric['name'])
    assert meaning.text
    assert page.cell(metric['name'])[:5] == [
        f'{metric["value"]:.4f}', meaning.better, meaning.text,
        str(metric['samples']), 'test']
  assert page.cell('state_sha256') == [results['state_sha256']]
  assert page.cell('data.difference') != ['']
  assert page.cell('system.swae.beta') == ['0.5']
  assert page.cell('versions.jax') != ['']
  assert 'Finished at step 6.' in page.words
  assert 'data set digits · system swae · network mlp' in page.words
  assert 'Options that differ' not in page.heads


def test_pictures_come_back_exactly_and_samples_come_first(two):
  page = Page(report.page([report.read(two / 'one')]))
  names = {p.stem for p in (two / 'one' / 'images').glob('*.png')}
  assert names <= page.images.keys()
  assert [name for name in page.images if name in names][0] == 'samples'
  kind, _, data = page.images['samples'].partition(';base64,')
  assert kind == 'data:image/png'
  found = base64.b64decode(data)
  assert found == (two / 'one' / 'images' / 'samples.png').read_bytes()
  Image.open(io.BytesIO(found)).verify()


def test_each_metric_has_a_curve(two):
  page = Page(report.page([report.read(two / 'one')]))
  first = json.loads(
      (two / 'one' / 'metrics.jsonl').read_text().splitlines()[0])
  for name in first.keys() - {'step'}:
    kind, _, data = page.images[name].partition(';base64,')
    assert kind == 'data:image/svg+xml'
    assert b'<svg' in base64.b64decode(data)
    assert captions.curve(name)


def test_links_out_of_a_run_are_not_followed(two, tmp_path):
  shutil.copytree(two / 'one', tmp_path / 'run')
  images = tmp_path / 'run' / 'images'
  shutil.copy(images / 'samples.png', tmp_path / 'secret.png')
  (images / 'link.png').symlink_to(tmp_path / 'secret.png')
  (images / 'dangling.png').symlink_to(tmp_path / 'none.png')
  (images / 'text.png').write_text('no picture')
  os.mkfifo(images / 'pipe.png')
  page = Page(report.page([report.read(tmp_path / 'run')]))
  assert 'samples' in page.images
  assert not {'link', 'dangling', 'text', 'pipe'} & page.images.keys()
  for name, why in (('link', 'a link out of the run'), ('text', 'no PNG'),
                    ('pipe', 'no plain file')):
    assert f'images/{name}.png is not shown: it is {why}' in page.words


@pytest.mark.parametrize('name', report.READ)
@pytest.mark.parametrize('how, why', [('link', 'a link out of the run'),
                                      ('pipe', 'no plain file')])
def test_no_file_out_of_a_run_gets_into_a_page(two, tmp_path, name, how, why):
  run = tmp_path / 'run'
  run.mkdir()
  for file in (two / 'one').glob('*.json*'):
    shutil.copy(file, run)
  (run / name).unlink(missing_ok=True)
  (tmp_path / 'secret').write_text('{"token": "secret"}')
  if how == 'link':
    (run / name).symlink_to('../secret')
  else:
    os.mkfifo(run / name)
  with pytest.raises(errors.DamagedData, match=f'{name}: .* {why}'):
    report.write([run])


@pytest.mark.parametrize('name, content', [
    ('results.json', '{"metrics": 5}'),
    ('results.json', '{"metrics": [{"name": {}}]}'),
    ('cell.json', '"text"'), ('cell.json', '[' * 100_000),
    ('config.json', '{"name": "<script>"}')])
def test_strange_files_of_a_run_are_one_line(two, tmp_path, name, content):
  for file in (two / 'one').glob('*.json*'):
    shutil.copy(file, tmp_path)
  (tmp_path / name).write_text(content)
  with pytest.raises(errors.UserError):
    report.write([tmp_path])


# Markup, mathematics, line breaks, and what terminals and readers obey.
EVIL = ('<script>alert(1)</script>', '"\' onerror=alert(1) x="', '{{ 7 * 7 }}',
        'a\nb\rc', '\x1b]0;title\x07\x1b[31mred', '\u202egpj.exe', r'$\frac{$',
        '_hidden', '--><b>', '\udcff', '\0')


def hostile(two, folder):
  """A run whose files hold every text of EVIL wherever a text may be."""
  shutil.copytree(two / 'one', folder)
  (folder / 'report.html').unlink(missing_ok=True)
  found = {name: files.read_json(folder / f'{name}.json')
           for name in ('config', 'run', 'results')}
  found['config']['name'] = found['results']['seed'] = ' '.join(EVIL)
  found['config']['data']['dir'] = EVIL[0]
  found['run']['identity']['configs'].append(digests.of_json(found['config']))
  found['run']['data']['read'] = list(EVIL)
  found['run']['versions'] = dict(zip(EVIL, EVIL, strict=True))
  found['results']['metrics'] = [
      {**found['results']['metrics'][0], 'name': evil, 'split': evil,
       'protocol': evil} for evil in EVIL]
  found['cell'] = {'state': 'failed', 'error': ' '.join(EVIL), 'config': {}}
  for name, value in found.items():
    files.write_json(folder / f'{name}.json', value)
  (folder / 'metrics.jsonl').write_text(json.dumps(
      {'step': 1, **dict.fromkeys(EVIL[::3], 1.)}) + '\n')
  for evil in EVIL[:-1]:  # No file has a NUL in its name.
    shutil.copy(folder / 'images' / 'samples.png',
                folder / 'images' / f'{evil.replace("/", "")}.png')
  return folder


def test_a_page_shows_hostile_texts_as_texts(two, tmp_path):
  run = hostile(two, tmp_path / 'one')
  texts = [report.page([report.read(run)]), report.page([
      report.read(run, ' '.join(EVIL))._replace(workdir=tmp_path / EVIL[-2]),
      report.read(two / 'two', '_two')])]
  for text in texts:
    page = Page(text)
    cells = {cell for row in page.rows for cell in row}
    for evil in EVIL:
      assert errors.printable(evil, lines=True) in cells, evil
    assert not page.tags & {'script', 'b', 'link', 'iframe'}
    assert all(link.startswith('data:image/') for link in page.links)
    assert errors.printable(text, lines=True) == text
    for link in page.links:
      if 'svg' in link:
        svg = base64.b64decode(link.partition(';base64,')[2])
        tags = {e.tag.rpartition('}')[2]
                for e in xml.etree.ElementTree.fromstring(svg).iter()}
        assert tags and not tags & {'script', 'b', 'foreignObject'}
  assert "default-src 'none'" in texts[0]


def test_names_are_escaped(two):
  text = report.page([report.read(two / 'one')])
  assert '<b>' not in text and 'a &lt;b&gt;&amp;' in text
  assert Page(text).cell('name', 'a <b>&"run"') == []


def test_runs_side_by_side(two, tmp_path):
  path = report.write([two / 'one', two / 'two'], tmp_path / 'new' / 'r.html')
  page = Page(path.read_text())
  values = [files.read_json(two / name / 'results.json')['metrics'][-1]['value']
            for name in ('one', 'two')]
  values = [f'{value:.4f}' for value in values]
  assert page.cell('reconstruction_error')[:2] == values
  assert values[0] != values[1]
  assert {'samples, one', 'samples, two', 'loss'} <= page.images.keys()
  text = path.read_text()
  differ = text[text.index('Options that differ'):text.index('<details>')]
  rows = Page(differ[differ.index('<div'):differ.index('</section>')]).rows
  assert rows == [['name', 'one', 'two'], ['seed', '0', '1']]


def test_a_run_that_has_not_finished_has_a_page(two, tmp_path):
  shutil.copytree(two / 'one', tmp_path / 'run')
  (tmp_path / 'run' / 'results.json').unlink()
  with (tmp_path / 'run' / 'metrics.jsonl').open('a') as file:
    file.write('{"step": 8, "loss": null}\n{"step": 9, "lo')
  before = (tmp_path / 'run' / 'metrics.jsonl').read_bytes()
  page = Page(report.write([tmp_path / 'run']).read_text())
  assert 'Not finished: the last line of metrics is that of step 8.' in (
      page.words)
  assert 'loss' in page.images
  assert (tmp_path / 'run' / 'metrics.jsonl').read_bytes() == before
  files.write_json(tmp_path / 'run' / 'cell.json', {
      'state': 'diverged', 'error': 'the loss is nan', 'config': {}})
  assert 'Diverged: the loss is nan' in Page(
      report.write([tmp_path / 'run']).read_text()).words


@pytest.mark.parametrize('args,words', [
    ([], 'give the --workdir'), (['--workdir=none'], 'holds no run'),
    (['--compare={0}/one,{0}/one'], 'named twice'), (['--wrkdir=x'], 'wrkdir'),
    (['--workdir={0}/one', '--output={0}'], 'is a folder'),
    (['--workdir={0}/one', '--output=/dev/null/x.html'], '/dev/null')])
def test_a_mistake_is_one_line(args, words, two, capsys):
  with pytest.raises(SystemExit) as e:
    commands.run(['report', *(arg.format(two) for arg in args)])
  err = capsys.readouterr().err
  assert e.value.code == 2, err
  assert words in err and len(err.strip().splitlines()) == 1


def test_long_curves_are_thinned(two):
  run = report.read(two / 'one')
  run.curves['loss'] = list(range(50000)), [float(i % 7) for i in range(50000)]
  assert len(report.curve('loss', [run])) < 200_000
