"""Names of others, as a terminal gets them."""
import pytest

from swae_jax import errors
from swae_jax.commands.tables import markdown
from swae_jax.host import console as console_lib

# A title, a colour, a cleared screen, text that runs backwards, a line that
# looks like another one, a byte that is not UTF-8.
EVIL = ('\x1b]0;x\x07', '\x1b[31m', '\x9b2J', '\u202egnp', 'a\nstep 9/9\r',
        '\udcff', '\0', '\u2028')


@pytest.mark.parametrize('evil', EVIL)
def test_what_cannot_be_seen_is_escaped(evil):
  text = errors.printable(f'ä {evil}"<b>')
  assert text.isprintable() and text.startswith('ä ') and '"<b>' in text
  assert '\\' in text
  assert errors.printable('a\nb\x1b', lines=True) == 'a\nb\\x1b'
  text.encode()


@pytest.mark.parametrize('evil', EVIL)
def test_an_error_is_one_line_whatever_it_names(evil, capsys):
  with pytest.raises(SystemExit):
    errors.end(errors.UserError(f'{evil}: there is no such file'))
  text = capsys.readouterr().err
  assert text.endswith(': there is no such file\n')
  assert text[:-1].isprintable()


def test_a_traceback_is_private(tmp_path):
  path = errors.write_traceback(ValueError('x'), tmp_path)
  assert path.stat().st_mode & 0o777 == 0o600


def test_a_very_long_error_is_cut_in_the_middle(capsys):
  with pytest.raises(SystemExit):
    errors.end(errors.UserError(f'a {"x" * 99999} z'))
  text = capsys.readouterr().err
  assert text.startswith('swae_jax: a ') and text.endswith(' z\n')
  assert len(text) < 2100


def test_a_run_of_others_has_plain_output(capsys):
  console = console_lib.Console()
  for evil in EVIL:
    console.results({'metrics': [{'name': evil, 'value': 1., 'samples': 2}],
                     'pictures': [f'images/{evil}.png']}, f'runs/{evil}')
    console.finished({'step': 1, 'metrics': [], 'pictures': []}, evil)
    console.line(f'x {evil}'.replace('\n', ''))
  text = capsys.readouterr().out
  assert text.replace('\n', '').isprintable()
  assert not any(line.startswith('step 9/9') for line in text.splitlines())


def test_a_table_of_others_is_plain_markdown():
  for evil in EVIL:
    assert markdown.escaped(evil).isprintable()
  assert markdown.escaped('<script>&|') == r'&lt;script&gt;&amp;\|'
