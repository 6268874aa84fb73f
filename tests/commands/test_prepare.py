"""Downloads against a server on this machine, and the command itself."""
import gzip
import hashlib
import http.server
import os
import pathlib
import re
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from swae_jax import data, errors
from swae_jax.commands import prepare
from swae_jax.data import mnist
from swae_jax.data.formats import download

ROOT = pathlib.Path(__file__).parent.parent
CONTENT = np.random.default_rng(0).bytes(5 << 20)


class Handler(http.server.BaseHTTPRequestHandler):
  """Serves server.contents, with the faults that server.faults has."""

  def do_GET(self):
    server = self.server
    server.seen.append((self.path, self.headers.get('Range')))
    content = server.contents.get(self.path)
    if 'hang' in server.faults:
      server.stop.wait(30)
      return
    if content is None:
      self.send_error(404)
      return
    start = 0
    match = re.fullmatch(r'bytes=(\d+)-', self.headers.get('Range') or '')
    if match and 'no ranges' not in server.faults:
      start = int(match[1])
      if start >= len(content):
        self.send_response(416)
        self.send_header('Content-Range', f'bytes */{len(content)}')
        self.end_headers()
        return
      self.send_response(206)
      self.send_header('Content-Range',
                       f'bytes {start}-{len(content) - 1}/{len(content)}')
    else:
      self.send_response(200)
    self.send_header('Content-Length', str(len(content) - start))
    self.end_headers()
    end = min(len(content), start + server.faults.get('cut', len(content)))
    self.wfile.write(content[start:end])

  def log_message(self, *args):
    pass


@pytest.fixture(name='server')
def local_server():
  server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
  server.contents, server.faults, server.seen = {'/file': CONTENT}, {}, []
  server.url = f'http://127.0.0.1:{server.server_port}'
  server.stop = threading.Event()
  threading.Thread(target=server.serve_forever, args=(.01,)).start()
  yield server
  server.stop.set()
  server.shutdown()
  server.server_close()


def file(server, *paths, md5=None):
  return download.File(
      'toy.bin', tuple(server.url + path for path in paths or ['/file']),
      hashlib.md5(CONTENT).hexdigest() if md5 is None else md5)


def part(tmp_path):
  return tmp_path / 'sets' / 'toy.bin.part'


def fetch(tmp_path, wanted):
  path = tmp_path / 'sets' / 'toy.bin'
  download.fetch(wanted, path)
  assert path.read_bytes() == CONTENT
  assert [p.name for p in path.parent.iterdir()] == ['toy.bin']


@pytest.fixture(autouse=True)
def own_addresses(monkeypatch):
  monkeypatch.setenv('no_proxy', '127.0.0.1')


def test_a_file_comes_whole(tmp_path, server):
  fetch(tmp_path, file(server))
  assert server.seen == [('/file', None)]


def test_a_cut_download_goes_on_where_it_stopped(tmp_path, server):
  server.faults['cut'] = 2 << 20
  fetch(tmp_path, file(server))
  assert [r for _, r in server.seen] == [
      None, f'bytes={2 << 20}-', f'bytes={4 << 20}-']


def test_a_later_call_goes_on_with_what_is_there(tmp_path, server):
  part(tmp_path).parent.mkdir()
  part(tmp_path).write_bytes(CONTENT[:12345])
  fetch(tmp_path, file(server))
  assert server.seen == [('/file', 'bytes=12345-')]


def test_a_server_without_ranges_sends_all_again(tmp_path, server):
  server.faults['no ranges'] = True
  part(tmp_path).parent.mkdir()
  part(tmp_path).write_bytes(b'x' * 12345)
  fetch(tmp_path, file(server))


def test_what_is_whole_already_is_only_checked(tmp_path, server):
  part(tmp_path).parent.mkdir()
  part(tmp_path).write_bytes(CONTENT)
  fetch(tmp_path, file(server))


def test_a_part_of_something_longer_starts_again(tmp_path, server):
  part(tmp_path).parent.mkdir()
  part(tmp_path).write_bytes(CONTENT + b'x')
  with pytest.raises(errors.MissingData, match='416'):
    fetch(tmp_path, file(server))
  fetch(tmp_path, file(server))


def test_a_server_that_gives_nothing_more_is_left(tmp_path, server):
  server.faults['cut'] = 0
  with pytest.raises(errors.MissingData, match=f'0 of {5 << 20} bytes came'):
    fetch(tmp_path, file(server))
  assert len(server.seen) == 1 and not list(part(tmp_path).parent.iterdir())


def test_the_next_address_is_asked(tmp_path, server):
  fetch(tmp_path, file(server, '/lost', '/file'))
  assert [path for path, _ in server.seen] == ['/lost', '/file']


def test_another_content_is_thrown_away(tmp_path, server):
  with pytest.raises(errors.DamagedData, match='md5 .*expected 123') as e:
    fetch(tmp_path, file(server, md5='123'))
  assert e.value.code == 65 and '\n' not in str(e.value)
  assert not list(part(tmp_path).parent.iterdir())


def test_no_address_is_one_line_with_all_that_is_needed(tmp_path, server):
  with pytest.raises(errors.MissingData, match='404') as e:
    fetch(tmp_path, file(server, '/lost'))
  for words in ('toy.bin', str(tmp_path / 'sets'), f'{server.url}/lost',
                hashlib.md5(CONTENT).hexdigest()):
    assert words in str(e.value)
  assert e.value.code == 66 and '\n' not in str(e.value)


@pytest.mark.parametrize('fault', ['hang', 'closed'])
def test_it_never_hangs(tmp_path, server, monkeypatch, fault):
  monkeypatch.setattr(download, 'CONNECT', .3)
  server.faults['hang'] = True
  wanted = file(server)
  if fault == 'closed':
    wanted = wanted._replace(urls=('http://127.0.0.1:1/file',))
  began = time.monotonic()
  with pytest.raises(errors.MissingData,
                     match='no answer' if fault == 'hang' else 'refused'):
    fetch(tmp_path, wanted)
  assert time.monotonic() - began < 5


def test_a_folder_that_cannot_be_made(tmp_path, server):
  (tmp_path / 'sets').touch()
  with pytest.raises(errors.UserError, match='cannot be written') as e:
    download.fetch(file(server), tmp_path / 'sets' / 'toy.bin')
  assert e.value.code == 2


@pytest.fixture(name='small_mnist')
def served_mnist(server, monkeypatch):
  """Four small files at the server; the digests of their content match."""
  rng = np.random.default_rng(0)
  contents = []
  for n in (6, 4):
    contents.append(struct.pack('>HBBIII', 0, 8, 3, n, 28, 28)
                    + rng.bytes(n * 784))
    contents.append(struct.pack('>HBBI', 0, 8, 1, n) + bytes(n))
  names = list(mnist.FILES['mnist'])
  monkeypatch.setattr(mnist, 'VALID', 2)
  monkeypatch.setitem(mnist.FILES, 'mnist', {
      name: (len(content), hashlib.sha256(content).hexdigest())
      for name, content in zip(names, contents, strict=True)})
  packed = {f'/{name}.gz': gzip.compress(content)
            for name, content in zip(names, contents, strict=True)}
  server.contents = packed
  monkeypatch.setitem(prepare.DOWNLOADS, 'mnist', ('mnist', tuple(
      download.File(path[1:], (server.url + path,),
                   hashlib.md5(content).hexdigest())
      for path, content in packed.items())))
  return packed


def test_a_set_is_fetched_once(tmp_path, server, small_mnist):
  d = prepare.prepare('mnist', str(tmp_path))
  assert [len(split.labels) for split in d[1:4]] == [4, 2, 4]
  assert len(server.seen) == 4
  again = prepare.prepare('mnist', str(tmp_path), binarize=False)
  assert len(server.seen) == 4 and not again.binarize
  assert data.DATASETS['mnist'](dir=str(tmp_path)).binarize


def test_only_what_is_missing_is_fetched(tmp_path, server, small_mnist):
  path = '/train-labels-idx1-ubyte.gz'
  (tmp_path / path[1:-3]).write_bytes(gzip.decompress(small_mnist[path]))
  prepare.prepare('mnist', str(tmp_path))
  assert sorted(p for p, _ in server.seen) == sorted({*small_mnist} - {path})


def test_a_damaged_file_is_said_to_be_deleted(tmp_path, small_mnist):
  prepare.prepare('mnist', str(tmp_path))
  path = tmp_path / 'mnist' / 't10k-images-idx3-ubyte.gz'
  path.write_bytes(path.read_bytes()[:-9])
  with pytest.raises(errors.DamagedData, match='t10k-images.*delete it'):
    prepare.prepare('mnist', str(tmp_path))
  path.unlink()
  prepare.prepare('mnist', str(tmp_path))


def test_what_came_damaged_does_not_stay(tmp_path, monkeypatch, small_mnist):
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


def test_options_have_the_types_of_the_defaults():
  assert prepare.options_of('mnist', ['binarize=False']) == {'binarize': False}
  assert prepare.options_of('folder', ['size=32', 'valid=.2', 'crop=none']) == {
      'size': 32, 'valid': .2, 'crop': 'none'}


def run(*args, code=0):
  found = subprocess.run(
      [sys.executable, '-m', 'swae_jax.prepare', *args], cwd=ROOT, text=True,
      capture_output=True, env={**os.environ, 'JAX_PLATFORMS': 'cpu'})
  assert found.returncode == code, found.stderr
  assert len(found.stderr.strip().splitlines()) == (code != 0), found.stderr
  return found.stderr or found.stdout


def test_the_command_says_what_there_is(tmp_path):
  out = run('gmm', f'--data_dir={tmp_path}', 'size=50', 'dim=3')
  assert out.startswith('gmm: 50 train, 5 valid, 5 test, 1x1x3\n')
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('code, words, args', [
    (66, 'img_align_celeba.zip (1443490838 bytes', ['celeba']),
    (66, 'three splits need three', ['folder']),
    (65, 'idx', ['mnist']),
    (2, 'one of digits, mnist', ['minst']),
    (2, 'one of digits, mnist', []),
    (2, 'size=64', ['folder', 'sise=3']),
    (2, 'such as 64', ['folder', 'size=big']),
    (2, 'data_dir', ['mnist', '--datadir=x']),
    (2, '--data_dir is missing', ['mnist', '--data_dir='])])
def test_a_mistake_is_one_line(tmp_path, code, words, args):
  (tmp_path / 'train-images-idx3-ubyte').write_text('<html>')
  for name in list(mnist.FILES['mnist'])[1:]:
    (tmp_path / name).touch()
  began = time.monotonic()
  err = run(f'--data_dir={tmp_path}', *args, code=code)
  assert err.startswith('swae_jax: ') and words in err
  assert time.monotonic() - began < 30  # Quiet machines: under 1.
