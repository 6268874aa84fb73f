"""A bucket of Google Cloud Storage in memory, for clients that are real.

It answers what gcsfs and TensorStore ask of the JSON interface: get, list,
upload, copy, delete, with generations as conditions.
"""
import base64
import contextlib
from http import server
import itertools
import json
import re
import threading
from urllib import parse
import zlib

NAME = 'bucket'


class Store:
  """{name: (bytes, generation)}, and what to do before each upload."""

  def __init__(self):
    self.objects, self.lock = {}, threading.Lock()
    self.generations = itertools.count(1)
    self.before_upload = lambda name: None  # May raise OSError.

  def put(self, name, content):
    with self.lock:
      self.objects[name] = (content, next(self.generations))

  def about(self, name):
    content, generation = self.objects[name]
    return {'name': name, 'bucket': NAME, 'size': str(len(content)),
            'generation': str(generation), 'metageneration': '1',
            'updated': '2020-01-01T00:00:00Z', 'md5Hash': '',
            'timeCreated': '2020-01-01T00:00:00Z',
            'crc32c': base64.b64encode(
                zlib.crc32(content).to_bytes(4, 'big')).decode()}

  def list(self, prefix, delimiter):
    items, prefixes = [], set()
    for name in sorted(self.objects):
      if name.startswith(prefix):
        head, found, _ = name[len(prefix):].partition(delimiter or '\0')
        if found:
          prefixes.add(prefix + head + delimiter)
        else:
          items.append(self.about(name))
    return {'items': items, 'prefixes': sorted(prefixes)}


class Handler(server.BaseHTTPRequestHandler):
  protocol_version = 'HTTP/1.1'
  disable_nagle_algorithm = True  # Else each answer takes 40 ms.
  store: Store

  def log_message(self, *args):
    del args

  def _answer(self, code, content=b'', **headers):
    if isinstance(content, dict):
      content = json.dumps(content).encode()
      headers['Content-Type'] = 'application/json'
    self.send_response(code)
    for name, value in headers.items():
      self.send_header(name.replace('_', '-'), value)
    self.send_header('Content-Length', str(len(content)))
    self.end_headers()
    self.wfile.write(content)

  def _parts(self):
    """(the object, or None for the bucket or a list, {option: value})."""
    url = parse.urlparse(self.path)
    found = re.search(r'/b/[^/]+/o/(.+)$', url.path)
    return (found and parse.unquote(found[1]),
            dict(parse.parse_qsl(url.query)))

  def _stale(self, name, options):
    """Whether the object has not the generation that is asked for."""
    if 'ifGenerationMatch' not in options:
      return False
    found = self.store.objects.get(name, (b'', 0))[1]
    return int(options['ifGenerationMatch']) != found

  def do_GET(self):  # noqa: N802
    name, options = self._parts()
    if name is None:
      if self.path.partition('?')[0].endswith('/o'):
        return self._answer(200, self.store.list(
            options.get('prefix', ''), options.get('delimiter')))
      return self._answer(200, {'name': NAME})
    if name not in self.store.objects:
      return self._answer(404, {'error': {'code': 404, 'message': name}})
    if options.get('alt') != 'media':
      return self._answer(200, self.store.about(name))
    content, generation = self.store.objects[name]
    if options.get('ifGenerationNotMatch') == str(generation):
      return self._answer(304)
    code, asked = 200, re.match(r'bytes=(\d*)-(\d*)',
                                self.headers.get('Range', ''))
    headers = {'x_goog_generation': generation}
    if asked:
      size = len(content)
      first = int(asked[1]) if asked[1] else size - int(asked[2])
      last = int(asked[2]) if asked[1] and asked[2] else size - 1
      content, code = content[first:last + 1], 206
      headers['Content_Range'] = f'bytes {first}-{min(last, size - 1)}/{size}'
    self._answer(code, content, **headers)

  def do_POST(self):  # noqa: N802
    name, options = self._parts()
    content = self.rfile.read(int(self.headers.get('Content-Length') or 0))
    if name is not None:
      name, target = re.split('/rewriteTo/b/[^/]+/o/', name)
      if name not in self.store.objects:
        return self._answer(404, {'error': {'code': 404, 'message': name}})
      self.store.put(target, self.store.objects[name][0])
      return self._answer(200, {'done': True,
                                'resource': self.store.about(target)})
    if options['uploadType'] == 'resumable':
      where = self.path.replace('uploadType=resumable', 'uploadType=media')
      return self._answer(200, Location=f'{self.server.url}{where}')
    name = options['name']
    try:
      self.store.before_upload(name)
    except OSError as e:
      return self._answer(403, {'error': {'code': 403, 'message': str(e)}})
    if self._stale(name, options):
      return self._answer(412, {'error': {'code': 412, 'message': name}})
    self.store.put(name, content)
    self._answer(200, self.store.about(name))

  def do_DELETE(self):  # noqa: N802
    name, options = self._parts()
    if self._stale(name, options):
      return self._answer(412, {'error': {'code': 412, 'message': name}})
    found = self.store.objects.pop(name, None)
    self._answer(204 if found else 404)


class Server(server.ThreadingHTTPServer):
  daemon_threads = True

  def handle_error(self, request, client_address):
    pass  # Clients hang up on what they no longer need.


@contextlib.contextmanager
def serve():
  """Yields (the store, what to put into the environment)."""
  store = Store()
  with Server(('localhost', 0), type(
      'Handler', (Handler,), {'store': store})) as httpd:
    httpd.url = f'http://localhost:{httpd.server_port}'
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
      yield store, {
          'STORAGE_EMULATOR_HOST': httpd.url,  # For gcsfs.
          'TENSORSTORE_GCS_HTTP_URL': httpd.url,
          'GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT': 'false'}
    finally:
      httpd.shutdown()
