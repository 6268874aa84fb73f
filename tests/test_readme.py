"""Commands, Python and paths in the documents work as they are written."""
import contextlib
import io
import os
import pathlib
import re
import shlex

import forked
import pytest

from swae_jax import __main__ as commands
from swae_jax.training import train
import tiny

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENTS = [ROOT / 'README.md', ROOT / 'launch/README.md',
             *sorted(ROOT.glob('configs/*.py')), *sorted(
                 path for path in ROOT.glob('launch/*') if path.is_file()
                 and path.name != 'README.md')]
# The first word of a command that a reader copies.
STARTS = r'(?:[A-Z]+=\S+ )*(?:swae|launch/[a-z_]+\.sh|sbatch|sky|python -m \S+)'
# Placeholders, and what stands for them in the temporary folder.
PLACES = {'DIR': 'there', 'PHOTOS': 'photos', 'RUN': 'runs/digits-swae',
          'BUCKET/RUN': 'b/r'}


def shown(path):
  """The text that a person reads: the whole page, or the head of a script."""
  text = path.read_text()
  if path.suffix == '.py':
    return text[:text.index('"""\n', 3)]
  if path.suffix != '.md':
    head = re.match(r'(?:#.*\n)+', text)[0]
    return re.sub(r'^#!.*\n|^# ?', '', head, flags=re.M)
  return text


def lines(path):
  """The command lines of a document."""
  text = re.sub(r' \\\n *', ' ', shown(path))
  found = re.findall(rf'^\s+({STARTS} .+)$', text, re.M)
  if path.suffix == '.py':
    found += re.findall(rf'^({STARTS} .+)$', text, re.M)
  if path.suffix == '.md':
    found += [line for line in re.findall(rf'`({STARTS} [^`\n]+)`', text)
              if line != 'swae train']  # In a sentence.
  for line in found:
    line = re.split(r'\s{2,}(?=[a-z#(])|\s+#', line)[0].strip()
    if 'FLAGS' not in line.replace('--env FLAGS', ''):
      yield line


COMMANDS = [(path, line) for path in DOCUMENTS for line in lines(path)]


@pytest.fixture(scope='module')
def home(tmp_path_factory):
  """A folder with the run that the documents speak of, seconds long."""
  home = tmp_path_factory.mktemp('home')
  with contextlib.redirect_stdout(io.StringIO()):
    train.run(tiny.config(), home / 'runs/digits-swae')
  (home / 'photos').mkdir()
  (home / 'there').mkdir()
  for name in ('configs', 'launch', 'results', 'requirements.txt'):
    (home / name).symlink_to(ROOT / name)
  return home


def words(line):
  """The words of a command line, with places for its placeholders."""
  return [re.sub(r'(?<=[=/])(BUCKET/RUN|[A-Z]+)$',
                 lambda m: PLACES.get(m[1], m[1]), word)
          for word in shlex.split(line)]


def test_the_documents_show_commands():
  shows = {path.name for path, _ in COMMANDS}
  assert {'README.md', 'digits.py', 'mnist.py', 'babysit.sh'} <= shows
  assert len(COMMANDS) > 30


@pytest.fixture(scope='module')
def server():
  server = forked.Server(ROOT)
  yield server
  server.close()


@pytest.mark.parametrize('path, line', COMMANDS,
                         ids=lambda x: getattr(x, 'name', x))
def test_a_command_is_understood(path, line, home, server, monkeypatch):
  monkeypatch.chdir(home)
  argv = words(line)
  while re.match('[A-Z]+=', argv[0]):
    del argv[0]
  program = argv.pop(0)
  if program == 'python':
    module = argv[1]
    argv = argv[2:]
    if not module.startswith('swae_jax'):
      assert (ROOT / f'{module.replace(".", "/")}.py').is_file()
      return
    program, argv = 'swae', [*(['train'] if module.endswith('.main') else []),
                             *argv]
  if program == 'swae':
    understood(argv, lambda argv: server.run(argv, home))
  elif program.startswith('launch/'):
    assert os.access(ROOT / program, os.X_OK), program
    if argv and argv[0].startswith('launch/'):
      assert os.access(ROOT / argv.pop(0), os.X_OK)
  for word in argv:
    if re.match(r'(launch|tests|configs)/', word):
      assert (ROOT / word.partition(':')[0]).exists(), word
  for word in argv:
    if program != 'swae' and word.startswith('--config='):
      assert (ROOT / word.partition('=')[2].partition(':')[0]).is_file()


def understood(argv, run):
  """Checks a `swae` command by its own parser, or by running it."""
  name, argv = argv[0], argv[1:]
  assert name in commands.COMMANDS, name
  if name in ('train', 'eval'):
    found = run([name, *argv, '--print_config'])
    assert found.code == 0, found.err
  elif name in ('tables', 'prepare'):  # These need data or hours.
    assert run([name, '--help']).code == 0
  else:
    found = run([name, *argv])
    allowed = (2, 66) if '--input=photos' in argv else (0,)
    assert found.code in ((0, 1) if name == 'doctor' else allowed
                                ), found.err


PYTHON = re.findall(r'```python\n(.*?)```', shown(ROOT / 'README.md'), re.S)


@pytest.mark.parametrize('code', PYTHON)
def test_python_runs_as_it_is_written(code, home, monkeypatch):
  monkeypatch.chdir(home)
  names = {}
  exec(code, names)  # noqa: S102
  if 'grads' in code:
    start = names['loss'](
        {k: v * 0 for k, v in names['params'].items()}, names['images'],
        names['key'])
    assert names['value'] < start
  else:
    assert names['x'].shape == names['x_rec'].shape == (16, 8, 8, 1)


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda p: p.name)
def test_every_path_exists(path):
  named = re.findall(
      r'(?<![\w/.=-])((?:configs|launch|tests|results|swae_jax|training|examples'
      r')/[\w/.]+\.\w+)', shown(path))
  for name in named:
    inside = ROOT / 'swae_jax' if name.startswith('training/') else ROOT
    assert (inside / name).exists(), name


def test_the_readme_is_short_and_ordered():
  text = (ROOT / 'README.md').read_text()
  assert len(text.splitlines()) <= 200
  assert re.findall('^## (.*)', text, re.M) == [
      'Two commands', 'A loss in your own code', 'Train', 'Evaluate', 'Use',
      'Systems', 'Adding', 'What holds', 'Figures', 'How it is built']
