"""Programs of clouds and clusters that note what they are asked to do."""
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
FAKE = f'''#!{sys.executable} -IS
import fcntl, json, os, pathlib, sys
home = pathlib.Path(__file__).parent.parent
argv = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
with open(home / 'log', 'a') as log:
  fcntl.flock(log, fcntl.LOCK_EX)
  rules = json.loads((home / 'rules').read_text())
  stdin = sys.stdin.read() if '-' in argv else ''
  print(json.dumps([argv, stdin]), file=log, flush=True)
  for words, answers in rules:
    if all(word in ' '.join(argv) for word in words.split()):
      text, code = answers.pop(0) if answers[1:] else answers[0]
      (home / 'rules').write_text(json.dumps(rules))
      print(text, file=sys.stderr if code else sys.stdout, end='')
      sys.exit(code)
'''
PROGRAMS = ['gcloud', 'kubectl', 'sky', 'srun', 'sbatch', 'scontrol', 'git']


class Fake:
  """A PATH with programs that do nothing but answer by rules."""

  def __init__(self, home):
    self.home = home
    (home / 'bin').mkdir()
    for name in PROGRAMS:
      self.program(name)
    (home / 'rules').write_text('[]')
    # Were one of the real programs called after all, it would know nobody.
    self.env = {
        'PATH': f'{home}/bin:/usr/bin:/bin', 'HOME': str(home),
        'CLOUDSDK_CONFIG': str(home), 'KUBECONFIG': '/dev/null',
        'BACKOFF': '0', 'POLL': '0', 'LC_ALL': 'C'}

  def program(self, name, text=FAKE):
    path = self.home / 'bin' / name
    path.write_text(text)
    path.chmod(0o755)
    return path

  def answer(self, words, *answers):
    """Sets the output and the code of commands with all these words, in turn.

    Each is (text, exit code); the last is for all that follow.
    """
    rules = json.loads((self.home / 'rules').read_text())
    (self.home / 'rules').write_text(json.dumps([*rules, (words, answers)]))

  def popen(self, *argv, cwd=ROOT, **env):
    return subprocess.Popen(
        [str(arg) for arg in argv], cwd=cwd, env={**self.env, **env},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)

  def run(self, *argv, code=0, cwd=ROOT, **env):
    """Runs a script; returns what it said on stderr."""
    process = self.popen(*argv, cwd=cwd, **env)
    self.out, err = process.communicate(timeout=60)
    assert process.returncode == code, (process.returncode, self.out, err)
    return err

  def calls(self, words=''):
    """The argument lists of commands with all these words."""
    log = self.home / 'log'
    lines = log.read_text().splitlines() if log.exists() else []
    argvs = [json.loads(line)[0] for line in lines]
    return [argv for argv in argvs
            if all(word in ' '.join(argv) for word in words.split())]

  def stdin(self):
    """The standard input of the last command."""
    return json.loads((self.home / 'log').read_text().splitlines()[-1])[1]


@pytest.fixture
def fake(tmp_path):
  return Fake(tmp_path)


@pytest.fixture
def venv(tmp_path):
  """Makes an environment of which launch/install.sh thinks it is installed."""
  def make(python):
    path = tmp_path / 'venv'
    (path / 'bin').mkdir(parents=True)
    (path / 'bin/python').write_text(python)
    (path / 'bin/python').chmod(0o755)
    pins = subprocess.run(
        'cat requirements.txt setup.cfg pyproject.toml | cksum', shell=True,
        cwd=ROOT, check=True, capture_output=True).stdout
    (path / 'installed').write_bytes(pins)
    return path
  return make
