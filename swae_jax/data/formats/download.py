"""Downloads that go on after a cut, are checked, and never hang."""
import http.client
import queue
import threading
from typing import NamedTuple
import urllib.error
import urllib.request

import tqdm

from swae_jax import errors
from swae_jax.data.formats import files

CONNECT, STALL = 5, 20  # Seconds.
RESUMES = 20  # Of one file at one address, as long as each brings more.


class File(NamedTuple):
  """A file that can be fetched."""
  name: str
  urls: tuple  # One after the other, until one gives it.
  md5: str = ''  # As published; without, the content alone is checked.


def fetch(file, path):
  """Downloads to `path`; there is the whole and right file or none."""
  part = path.with_name(f'{path.name}.part')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    part.touch()
  except OSError as e:
    raise errors.UserError(f'{part} cannot be written: {e.strerror}') from e
  fault = None
  for url in file.urls:
    try:
      _fetch_from(url, part)
    except (OSError, http.client.HTTPException) as e:
      fault = e
      continue
    found = files.digest(part, 'md5')
    if file.md5 and found != file.md5:
      part.unlink()
      raise errors.DamagedData(
          f'{url}: what came has md5 {found}, expected {file.md5}: run this '
          'again, or use another network')
    part.replace(path)
    return
  if not part.stat().st_size:
    part.unlink()
  raise errors.MissingData(
      f'{file.name} cannot be fetched ({fault}): run this again to go on, or '
      f'put it into {path.parent} yourself, from {file.urls[0]}'
      f'{f" (md5 {file.md5})" if file.md5 else ""}')


def _fetch_from(url, part):
  """Fills `part`; after a cut goes on, as long as each time more comes."""
  for _ in range(RESUMES):
    before = part.stat().st_size
    try:
      return _stream(url, part)
    except (OSError, http.client.HTTPException):
      if part.stat().st_size <= before:
        raise
  raise ConnectionError(f'cut {RESUMES} times')


def _stream(url, part):
  """One request for what `part` lacks; raises where less comes."""
  start = part.stat().st_size
  request = urllib.request.Request(url, headers={'User-Agent': 'swae_jax'})
  if start:
    request.add_header('Range', f'bytes={start}-')
  try:
    response = _opened(request)
  except urllib.error.HTTPError as e:
    e.close()
    if e.code != 416:  # Not: there is nothing behind `start`.
      raise
    if e.headers.get('Content-Range') != f'bytes */{start}':
      part.write_bytes(b'')  # Longer than the file: of another one.
      raise
    return
  with response:
    given = response.headers.get('Content-Range', '')
    goes_on = response.status == 206 and given.startswith(f'bytes {start}-')
    if start and not goes_on:
      start = 0  # A server without ranges sends all again.
    length = response.headers.get('Content-Length')
    total = start + int(length) if length else None
    with open(part, 'ab' if start else 'wb') as out, tqdm.tqdm(
        desc=part.stem, initial=start, total=total, unit='B', unit_scale=True,
        disable=None) as bar:
      while block := response.read(1 << 20):
        out.write(block)
        bar.update(len(block))
  if total is not None and part.stat().st_size != total:
    raise ConnectionError(f'{part.stat().st_size} of {total} bytes came')


def _opened(request):
  """The response; raises TimeoutError where none begins in CONNECT seconds."""
  # A thread, since looking up a name has no time limit of its own.
  answers = queue.SimpleQueue()

  def work():
    try:
      answers.put(urllib.request.urlopen(request, timeout=STALL))
    except Exception as e:  # Raised below.
      answers.put(e)

  threading.Thread(target=work, daemon=True).start()
  try:
    answer = answers.get(timeout=CONNECT)
  except queue.Empty:
    raise TimeoutError(f'no answer in {CONNECT} s') from None
  if isinstance(answer, Exception):
    raise answer
  return answer
