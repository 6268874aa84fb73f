"""Downloads by pooch, which checks a file before the file gets its name."""
import pathlib
import sys
import threading
from typing import Any, NamedTuple

from swae_jax import errors

CONNECT, STALL = 5, 20  # greatest wait in seconds: for an answer, for more data


class File(NamedTuple):
  """A file on one or more servers."""
  name: str  # name of the file
  urls: tuple[str, ...]  # addresses; `fetch` tries them in this order
  md5: str = ''  # published md5 (hex); '' if nobody has published an md5


def fetch(file: File, path: pathlib.Path) -> None:
  """Downloads a file to `path`, from the first mirror that gives it.

  Raises:
    errors.MissingData: no mirror gives the file.
    errors.DamagedData: the last mirror gives another content.
    errors.UserError: pooch is not installed, or the folder cannot be written.
  """
  try:
    import pooch
    import requests
  except ImportError as e:
    raise errors.UserError(
        f'{file.name}: downloads need pooch ({e}): pip install pooch') from e
  pooch.get_logger().setLevel('ERROR')
  # A server that compresses a .gz file again would change its digest.
  downloader: Any = pooch.HTTPDownloader(
      progressbar=sys.stderr.isatty(), chunk_size=1 << 16,
      timeout=(CONNECT, STALL), headers={'Accept-Encoding': 'identity'})
  fault: errors.UserError = errors.MissingData('the file has no address')
  for url in file.urls:
    try:
      _knock(requests, url)
      pooch.retrieve(url, f'md5:{file.md5}' if file.md5 else None,
                     path.name, path.parent, downloader=downloader)
      path.chmod(0o644)  # Pooch lets only the owner read the file.
      return
    except (requests.RequestException, TimeoutError) as e:
      fault = errors.MissingData(f'{url} cannot be fetched ({_reason(e)})')
    except ValueError as e:
      fault = errors.DamagedData(
          f'{url} gave another content, expected md5 {file.md5} ({e})')
    except OSError as e:
      raise errors.UserError(f'{path} cannot be written: {e.strerror}') from e
  where = f'{file.urls[0]}{f" (md5 {file.md5})" if file.md5 else ""}'
  raise type(fault)(
      f'{file.name}: {fault}: run this again, or use another network, or put '
      f'{where} into {path.parent} yourself') from fault


def _knock(requests, url: str) -> None:
  """Raises TimeoutError if no server answers within CONNECT seconds."""
  # A thread limits the whole time.  The time limit of requests starts anew for
  # each address of a name and leaves out the look-up of the name.
  answered = threading.Event()

  def ask():
    try:
      requests.head(url, timeout=CONNECT)
    except requests.Timeout:
      return
    except requests.RequestException:
      pass  # The download itself reports the error.
    answered.set()

  threading.Thread(target=ask, daemon=True).start()
  if not answered.wait(CONNECT):
    raise TimeoutError(f'no answer in {CONNECT} s')


def _reason(error: Exception) -> str:
  """The innermost cause in words; requests wraps a cause several times."""
  chain = errors.chain(error)
  return ' '.join(str(chain[-1]).split()) or type(chain[-1]).__name__
