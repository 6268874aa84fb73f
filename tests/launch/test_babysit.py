"""launch/babysit.sh: which codes it restarts after, how often, how fast."""
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
BABYSIT = 'launch/babysit.sh'
RETRY = {75, 124, 134, 137, 139, 143}


@pytest.fixture
def job(fake):
  """A command that is in the checkpoints' way, and its workdir."""
  workdir = fake.home / 'run'
  (workdir / 'checkpoints').mkdir(parents=True)
  return fake.program('job'), f'--workdir={workdir}', workdir / 'checkpoints'


def functions(code):
  """The output of a bash that has sourced the script."""
  found = subprocess.run(['bash', '-c', f'source {BABYSIT}; {code}'], cwd=ROOT,
                         capture_output=True, text=True, check=True)
  assert not found.stderr
  return found.stdout


def test_codes_that_are_worth_another_try():
  out = functions('for i in {0..255}; do ! is_retry $i || echo $i; done')
  assert {int(code) for code in out.split()} == RETRY


@pytest.mark.parametrize('codes, worst', [
    ('', 0), ('0 0', 0), ('"" 0', 0), ('0 143', 143), ('134 143', 134),
    ('134 2', 2), ('143 "" 70 65', 70)])
def test_the_code_that_says_most(codes, worst):
  assert functions(f'worst_of {codes}') == f'{worst}\n'


@pytest.mark.parametrize('names, step', [
    ('', -1), ('0', 0), ('5 15 9', 15), ('15 20.tmp corrupt-30', 15)])
def test_the_newest_checkpoint(names, step):
  assert functions(f'printf "%s\\n" {names} | newest') == f'{step}\n'


def test_what_is_whole_in_a_bucket_counts(fake, job):
  names = [f'gs://b/run/checkpoints/{name}/commit_success.txt\n'
           for name in (5, 10, 'corrupt-30')]
  fake.answer('storage ls gs://b/run/checkpoints/*/commit_success.txt',
              (''.join(names), 0))
  fake.answer('job', ('', 143), ('', 0))
  said = fake.run(BABYSIT, job[0], '--workdir=gs://b/run')
  assert 'newest checkpoint 10: restart 1' in said


def test_a_run_that_ends_well_is_not_repeated(fake, job):
  command, workdir, _ = job
  assert fake.run(BABYSIT, command, workdir, '--x=a b') == ''
  assert fake.calls() == [['job', workdir, '--x=a b']]


@pytest.mark.parametrize('code', [1, 2, 65, 66, 70, 73, 74, 130])
def test_a_mistake_is_not_repeated(fake, job, code):
  fake.answer('job', ('', code))
  fake.run(BABYSIT, *job[:2], code=code)
  assert len(fake.calls()) == 1


@pytest.mark.parametrize('code', sorted(RETRY))
def test_a_retry_code_is(fake, job, code):
  fake.answer('job', ('', code), ('', 0))
  said = fake.run(BABYSIT, *job[:2])
  assert len(fake.calls()) == 2
  assert f'exit code {code}, newest checkpoint -1: restart 1 of 10' in said


def test_it_gives_up_without_progress(fake, job):
  (job[2] / '40').mkdir()
  (job[2] / '45.orbax-checkpoint-tmp').mkdir()
  fake.answer('job', ('', 134))
  said = fake.run(BABYSIT, *job[:2], code=134, RESTARTS='3')
  assert len(fake.calls()) == len(said.splitlines()) == 4
  assert said.splitlines()[-1] == (
      'swae_jax: exit code 134; 3 restarts in a row left no checkpoint after '
      'step 40, so this was the last')


def test_progress_starts_the_count_again(fake, job):
  _, workdir, checkpoints = job
  # Saves steps 1, 2, 3 and then nothing more.
  program = fake.program('saves', '#!/bin/bash\n'
                         f'echo x >> {fake.home}/tries\n'
                         f'n=$(wc -l < {fake.home}/tries)\n'
                         f'[ $n -gt 3 ] || mkdir {checkpoints}/$n\n'
                         'exit 143\n')
  fake.run(BABYSIT, program, workdir, code=143, RESTARTS='2')
  assert len((fake.home / 'tries').read_text().splitlines()) == 3 + 2


def test_waits_grow(fake, job):
  fake.program('sleep')
  fake.answer('job', ('', 75))
  fake.run(BABYSIT, *job[:2], code=75, RESTARTS='8', BACKOFF='10')
  waits = [int(argv[1]) for argv in fake.calls('sleep')]
  assert waits == [10, 20, 40, 80, 160, 320, 600, 600]


@pytest.mark.parametrize('sent', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_handed_on_and_is_the_end(fake, job, sent):
  # A run does the same: it saves when asked to stop, which takes a moment.
  program = fake.program(
      'run', '#!/bin/bash\n'
      'trap "sleep .3; echo saved; exit 143" TERM\n'
      'trap "sleep .3; echo saved; exit 130" INT\n'
      'echo started\nwhile true; do sleep .05; done\n')
  process = fake.popen(BABYSIT, program, job[1])
  assert process.stdout.readline() == 'started\n'
  process.send_signal(sent)
  out, err = process.communicate(timeout=30)
  assert out == 'saved\n' and err == ''
  assert process.returncode == 128 + sent


def test_sigterm_stops_it_where_sigint_is_ignored(fake, job):
  # In the background of a script bash cannot trap SIGINT.
  program = fake.program(
      'run', '#!/bin/bash\ntrap "exit 143" TERM\necho started\n'
      'while true; do sleep .05; done\n')
  process = fake.popen('sh', '-c', 'trap "" INT; exec "$@"', 'sh', BABYSIT,
                       program, job[1])
  assert process.stdout.readline() == 'started\n'
  process.send_signal(signal.SIGINT)
  process.send_signal(signal.SIGTERM)
  process.communicate(timeout=30)
  assert process.returncode == 143


def test_a_signal_ends_the_wait_for_a_restart(fake, job):
  fake.answer('job', ('', 75))
  process = fake.popen(BABYSIT, *job[:2], BACKOFF='500')
  assert 'restart 1 of 10' in process.stderr.readline()
  time.sleep(.3)  # It may not be asleep yet.
  process.send_signal(signal.SIGTERM)
  process.communicate(timeout=10)
  assert process.returncode == 75 and len(fake.calls()) == 1


def test_the_workdir_must_be_known(fake, job):
  said = fake.run(BABYSIT, job[0], '--config=a', code=2)
  assert re.match('swae_jax: give --workdir=DIR', said)
  assert not fake.calls() and os.path.exists(job[0])
