"""Downloads from a server on this machine, and the command itself."""
import gzip
import hashlib
import http.server
import re
import threading
import time

import numpy as np
import pytest
import small_mnist

from swae_jax import data, errors, options
from swae_jax.commands import prepare
from swae_jax.data import mnist
from swae_jax.data.formats import download

CONTENT = np.random.default_rng(0).bytes(1 << 20)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
  """Serves server.contents, with the fault server.fault."""

  def do_HEAD(self):
    if self.server.fault == 'hang':
      self.server.stop.wait(30)
    self.send_error(405)  # Some servers answer so.

  def do_GET(self):
    self.server.seen.append(self.path)
    content = self.server.contents.get(self.path)
    if content is None:
      self.send_error(404)
      return
    self.send_response(200)
    self.send_header('Content-Length', str(len(content)))
    self.end_headers()
    if self.server.fault == 'stall':
      self.server.stop.wait(30)
    self.wfile.write(content[:1000] if self.server.fault == 'cut' else content)

  def log_message(self, *args):
    pass


@pytest.fixture(name='server')
def local_server(monkeypatch):
  monkeypatch.setenv('no_proxy', '127.0.0.1')
  server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
  server.contents = {'/toy.bin': CONTENT, '/other': b'<html>log in</html>'}
  server.fault, server.seen = '', []
  server.url = f'http://127.0.0.1:{server.server_port}'
  server.stop = threading.Event()
  threading.Thread(target=server.serve_forever, args=(.01,)).start()
  yield server
  server.stop.set()
  server.shutdown()
  server.server_close()


def fetch(folder, server, *paths, md5=MD5):
  """Fetches from these paths of the server; one alone may be a full address."""
  urls = tuple(p if ':' in p else server.url + p for p in paths)
  download.fetch(download.File('toy.bin', urls, md5), folder / 'toy.bin')


@pytest.mark.parametrize('md5', [MD5, ''])
@pytest.mark.parametrize('first', [
    (), ('/lost',), ('/other',), ('http://127.0.0.1:1/refused',)])
def test_a_file_comes_from_the_first_mirror_that_has_it(
    tmp_path, server, md5, first):
  if md5 or '/other' not in first:
    fetch(tmp_path / 'new', server, *first, '/toy.bin', '/never', md5=md5)
    file, = (tmp_path / 'new').iterdir()
    assert file.read_bytes() == CONTENT and file.name == 'toy.bin'
    assert file.stat().st_mode & 0o044 == 0o044  # Others may read it.
    assert '/never' not in server.seen


@pytest.mark.parametrize('path, fault, kind, words', [
    ('/lost', '', errors.MissingData, '404'),
    ('/toy.bin', 'cut', errors.MissingData, '1000 bytes'),
    ('/toy.bin', 'hang', errors.MissingData, 'no answer'),
    ('/toy.bin', 'stall', errors.MissingData, 'timed out'),
    ('http://127.0.0.1:1/toy.bin', '', errors.MissingData, 'refused'),
    ('/other', '', errors.DamagedData, 'another content')])
def test_a_failed_download_is_one_line_in_time_and_leaves_no_file(
    tmp_path, server, monkeypatch, path, fault, kind, words):
  monkeypatch.setattr(download, 'CONNECT', .5)
  monkeypatch.setattr(download, 'STALL', .5)
  server.fault = fault
  began = time.monotonic()
  with pytest.raises(kind, match=words) as e:
    fetch(tmp_path / 'new', server, path)
  assert time.monotonic() - began < 30  # quiet machines: under 10
  assert type(e.value) is kind and '\n' not in str(e.value)
  for part in ('toy.bin', path, MD5, f'{tmp_path}/new', 'run this again'):
    assert part in str(e.value)
  assert not list((tmp_path / 'new').glob('*'))


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, server):
  (tmp_path / 'sets').touch()
  with pytest.raises(errors.UserError, match='cannot be written') as e:
    fetch(tmp_path / 'sets', server, '/toy.bin')
  assert e.value.code == 2


@pytest.fixture(name='served')
def served_small_mnist(server, monkeypatch):
  """Four small files at the server; the digests of their content match."""
  contents = small_mnist.install(monkeypatch, small_mnist.arrays(6, 4), 2)
  server.contents = {f'/{name}.gz': gzip.compress(content)
                     for name, content in contents.items()}
  monkeypatch.setitem(prepare.DOWNLOADS, 'mnist', ('mnist', tuple(
      download.File(path[1:], (server.url + path,),
                    hashlib.md5(content).hexdigest())
      for path, content in server.contents.items())))
  return server.contents


def test_a_set_is_fetched_once(tmp_path, server, served):
  d = prepare.prepare('mnist', str(tmp_path))
  assert [len(split.labels) for split in d[1:4]] == [4, 2, 4]
  assert len(server.seen) == 4
  again = prepare.prepare('mnist', str(tmp_path), binarize=False)
  assert len(server.seen) == 4 and not again.binarize
  assert data.DATASETS['mnist'](dir=str(tmp_path)).binarize


def test_only_what_is_missing_is_fetched(tmp_path, server, served):
  path = '/train-labels-idx1-ubyte.gz'
  (tmp_path / path[1:-3]).write_bytes(gzip.decompress(served[path]))
  prepare.prepare('mnist', str(tmp_path))
  assert sorted(server.seen) == sorted({*served} - {path})


def test_a_damaged_file_is_said_to_be_deleted(tmp_path, served):
  prepare.prepare('mnist', str(tmp_path))
  path = tmp_path / 'mnist' / 't10k-images-idx3-ubyte.gz'
  path.write_bytes(path.read_bytes()[:-9])
  with pytest.raises(errors.DamagedData, match='t10k-images.*delete it'):
    prepare.prepare('mnist', str(tmp_path))
  path.unlink()
  prepare.prepare('mnist', str(tmp_path))


def test_what_came_damaged_does_not_stay(tmp_path, monkeypatch, served):
  name, (size, _) = next(iter(mnist.FILES['mnist'].items()))
  monkeypatch.setitem(mnist.FILES['mnist'], name, (size, '0'))
  with pytest.raises(errors.DamagedData):
    prepare.prepare('mnist', str(tmp_path))
  assert not list((tmp_path / 'mnist').iterdir())


def test_addresses_are_of_sets_that_are_there():
  for name, (folder, wanted) in prepare.DOWNLOADS.items():
    assert name in data.DATASETS and name.startswith(folder)
    for one in wanted:
      assert one.urls and all(url.endswith(one.name) for url in one.urls)
      assert re.fullmatch('([0-9a-f]{32})?', one.md5)


def test_options_have_the_types_of_the_data_set():
  assert prepare.options_of('mnist', ['binarize=False']) == {'binarize': False}
  assert prepare.options_of('folder', [
      'size=32', 'valid=.2', 'crop=none', 'channels=1']) == {
          'size': 32, 'valid': .2, 'crop': 'none', 'channels': 1}


@pytest.mark.parametrize('kind, text, value', [
    (str, '3', '3'), (str, 'true', 'true'), (bool, 'FALSE', False),
    (float, '1', 1.), (tuple[int, ...], '(30, 50)', (30, 50))])
def test_texts_become_values_of_their_type(kind, text, value):
  found = options.parsed('x', options.Option(value, kind), text)
  assert found == value and type(found) is type(value)


@pytest.mark.parametrize('text', ['', '1.5', 'one', '{[]: 1}', '(' * 300])
def test_texts_of_another_type_are_refused(text):
  with pytest.raises(errors.UserError, match='must be a whole number'):
    options.parsed('x', options.Option(1, int), text)


def test_the_command_says_what_there_is(tmp_path, capsys):
  prepare.main(['gmm', f'--data_dir={tmp_path}', 'size=50', 'dim=3'])
  assert capsys.readouterr().out.startswith(
      'gmm: 50 train, 5 valid, 5 test, 1x1x3\n')
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('code, words, args', [
    (66, 'img_align_celeba.zip (1443490838 bytes', ['celeba']),
    (66, 'three splits need three', ['folder']),
    (65, 'idx', ['mnist']),
    (2, "'digits', 'mnist'", ['minst']),
    (2, 'one of digits, mnist', []),
    (2, 'size=64', ['folder', 'sise=3']),
    (2, 'size=big: it must be a whole number', ['folder', 'size=big']),
    (2, 'folder: size=0: it must be at least 1', ['folder', 'size=0']),
    (2, 'datadir', ['mnist', '--datadir=x']),
    (2, '--data_dir is empty', ['mnist', '--data_dir='])])
def test_a_mistake_is_one_line(tmp_path, capsys, code, words, args):
  (tmp_path / 'train-images-idx3-ubyte').write_text('<html>')
  for name in list(mnist.FILES['mnist'])[1:]:
    (tmp_path / name).touch()
  with pytest.raises(SystemExit) as e:
    prepare.main([f'--data_dir={tmp_path}', *args])
  line, = capsys.readouterr().err.splitlines()
  assert line.startswith('swae_jax: ') and words in line
  assert e.value.code == code
