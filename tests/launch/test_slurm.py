"""launch/slurm.sbatch under an srun that ends as told."""
import pathlib
import re
import signal
import time

import pytest

ROOT = pathlib.Path(__file__).parent.parent.parent
SCRIPT = ROOT / 'launch/slurm.sbatch'


@pytest.fixture
def job(fake):
  """Runs the script as slurmd does, from a copy and in some directory."""
  workdir = fake.home / 'run'
  spool = fake.home / 'slurm_script'
  spool.write_text(SCRIPT.read_text())
  env = {'SLURM_SUBMIT_DIR': str(ROOT), 'SLURM_JOB_ID': '77', 'VENV': '/v'}
  command = ['bash', spool, '--config=configs/mnist.py',
             f'--workdir={workdir}']

  def job(code, **more):
    return fake.run(*command, code=code, cwd=fake.home, **env, **more)
  job.popen = lambda: fake.popen(*command, cwd=fake.home, **env)
  job.workdir = workdir
  return job


def save(job, step):
  (job.workdir / 'checkpoints' / str(step)).mkdir(parents=True)


def test_a_run_that_ends_well_is_not_requeued(fake, job):
  job(0)
  (srun,) = fake.calls()
  assert srun == ['srun', '--kill-on-bad-exit=0', '/v/bin/python', '-m',
                  'swae_jax.main', '--config=configs/mnist.py',
                  f'--workdir={job.workdir}']


@pytest.mark.parametrize('code', [75, 124, 134, 137, 139, 143])
def test_a_retry_code_is_requeued(fake, job, code):
  fake.answer('srun', ('', code))
  job(code)
  assert fake.calls()[1:] == [['scontrol', 'requeue', '77']]


@pytest.mark.parametrize('code', [1, 2, 65, 66, 70, 73, 74, 130])
def test_a_mistake_is_not(fake, job, code):
  fake.answer('srun', ('', code))
  job(code)
  assert not fake.calls('scontrol')


def test_it_counts_over_requeues_and_gives_up(fake, job):
  fake.answer('srun', ('', 143))
  save(job, 5)
  for _ in range(2):
    job(143, RESTARTS='2')
  save(job, 10)
  for _ in range(2):
    job(143, RESTARTS='2')
  assert len(fake.calls('scontrol')) == 4
  said = job(143, RESTARTS='2')
  assert '2 restarts in a row left no checkpoint after step 10' in said
  assert len(fake.calls('scontrol')) == 4
  job(143, RESTARTS='2')  # Submitted by hand, it counts from the start.
  assert len(fake.calls('scontrol')) == 5


def test_it_outlives_a_signal_and_sends_srun_none(fake, job):
  fake.program('srun', '#!/bin/bash\n'
               'trap "exit 99" TERM\n'  # Really: SIGKILL for its tasks.
               'echo started\nsleep 1\nexit 143\n')
  process = job.popen()
  assert process.stdout.readline() == 'started\n'
  process.send_signal(signal.SIGTERM)
  time.sleep(.2)
  process.send_signal(signal.SIGTERM)
  process.communicate(timeout=30)
  assert process.returncode == 143
  assert fake.calls() == [['scontrol', 'requeue', '77']]


def test_what_it_asks_slurm_for():
  asked = dict(re.findall(r'^#SBATCH --([a-z-]+)=?(\S*)$', SCRIPT.read_text(),
                          re.M))
  assert asked['ntasks-per-node'] == '1' and 'gpus-per-node' in asked
  assert 'gpus-per-task' not in asked and 'gpu-bind' not in asked
  assert 'requeue' in asked and asked['open-mode'] == 'append'
  assert asked['signal'] == 'TERM@120'  # Not B: which only tells the script.


def test_it_needs_sbatch_and_a_workdir(fake, job):
  assert 'submit this by sbatch' in fake.run('bash', SCRIPT, code=1)
  said = fake.run('bash', SCRIPT, code=2, SLURM_SUBMIT_DIR=str(ROOT))
  assert 'give --workdir=DIR' in said
  assert not fake.calls()
