"""launch/tpu_vm.sh against a gcloud that is none."""
import os
import re
import subprocess

import pytest

TPU = 'launch/tpu_vm.sh'
ABSENT = ('ERROR: (gcloud.compute.tpus.queued-resources.describe) NOT_FOUND: '
          'Resource was not found.\n', 1)


def states(fake, *answers):
  fake.answer('queued-resources describe', *(
      (f'{answer}\n', 0) if isinstance(answer, str) else answer
      for answer in answers))


def ended(*codes):
  """The output and the exit code of a run whose workers end so."""
  lines = ''.join(f'swae_jax: w{i} ended with {code}\n'
                  for i, code in enumerate(codes))
  return lines, next((code for code in codes if code), 0)


def names(fake, *answers):
  fake.answer('ssh /checkpoints', *((' '.join(answer.split()).replace(
      ' ', '\n') + '\n', 0) for answer in answers))


def verbs(fake):
  """The commands in order, each as one word."""
  table = {'describe': 'state', 'create': 'create', 'delete': 'delete',
           'scp': 'scp', 'storage': 'names'}
  said = []
  for argv in fake.calls('gcloud'):
    if 'ssh' in argv:
      command = next(a for a in argv if a.startswith('--command='))
      said.append('run' if 'swae_jax.main' in command else
                  'names' if '/checkpoints' in command else 'install')
    else:
      said.append(next(table[a] for a in argv if a in table))
  return said


def test_create_queues_once_and_waits(fake):
  states(fake, ABSENT, ABSENT, 'WAITING_FOR_RESOURCES', 'PROVISIONING',
         'PROVISIONING', 'ACTIVE')
  said = fake.run(TPU, 'create', 'tt', ZONE='us-east5-b', TYPE='v6e-16',
                  PROJECT='mine')
  fake.run(TPU, 'create', 'tt')
  (create,) = fake.calls('create')
  assert create == [
      'gcloud', 'compute', 'tpus', 'queued-resources', 'create', 'tt',
      '--node-id=tt', '--accelerator-type=v6e-16',
      '--runtime-version=v2-alpha-tpuv6e', '--spot', '--zone=us-east5-b',
      '--project=mine']
  assert re.findall('tt is (.*)', said) == [
      'ABSENT', 'WAITING_FOR_RESOURCES', 'PROVISIONING', 'ACTIVE']


@pytest.mark.parametrize('env, flag', [
    ({'TYPE': 'v5litepod-8'}, '--runtime-version=v2-alpha-tpuv5-lite'),
    ({'TYPE': 'v5p-8'}, '--runtime-version=v2-alpha-tpuv5'),
    ({'TYPE': 'v4-8'}, '--runtime-version=tpu-ubuntu2204-base'),
    ({'RUNTIME': 'own'}, '--runtime-version=own')])
def test_the_image_goes_by_the_generation(fake, env, flag):
  states(fake, ABSENT, 'ACTIVE')
  fake.run(TPU, 'create', 'tt', SPOT='0', **env)
  (create,) = fake.calls('create')
  assert flag in create and '--spot' not in create


def test_what_was_preempted_is_queued_for_again(fake):
  states(fake, 'SUSPENDING', 'SUSPENDED', ABSENT, 'ACTIVE')
  fake.run(TPU, 'create', 'tt')
  assert verbs(fake) == ['state', 'state', 'delete', 'state', 'create',
                         'state']
  (delete,) = fake.calls('delete')
  assert delete[4:] == ['delete', 'tt', '--force', '--quiet',
                        '--zone=europe-west4-a']


def test_a_request_that_fails_is_not_made_for_ever(fake):
  states(fake, ABSENT, 'FAILED')
  said = fake.run(TPU, 'create', 'tt', code=75)
  assert 'queued and not created' in said
  assert verbs(fake) == ['state', 'create', 'state']


def test_without_an_answer_nothing_is_made(fake):
  states(fake, ('PERMISSION_DENIED', 1))
  assert 'PERMISSION_DENIED' in fake.run(TPU, 'create', 'tt', code=75)
  fake.run(TPU, 'delete', 'tt', code=75)
  assert verbs(fake) == ['state', 'state']


def test_delete(fake):
  states(fake, ABSENT, 'ACTIVE')
  assert 'there is no tt' in fake.run(TPU, 'delete', 'tt')
  assert verbs(fake) == ['state']
  fake.run(TPU, 'delete', 'tt')
  assert verbs(fake) == ['state', 'state', 'delete']


def test_setup_reaches_all_workers(fake):
  fake.answer('stash create', ('abc\n', 0))
  fake.run(TPU, 'setup', 'tt')
  assert verbs(fake) == ['scp', 'install']
  (archive,) = fake.calls('git archive')
  scp, install = fake.calls('gcloud')
  assert archive[-1] == 'abc' and archive[-2] == scp[5] and scp[6] == 'tt:'
  assert '--worker=all' in scp and '--worker=all' in install
  command = ' '.join(install)
  assert "-c requirements.txt -e '.[tpu,gcs]'" in command


def test_fetch(fake):
  fake.program('mkdir')
  fake.run(TPU, 'fetch', 'tt')
  fake.run(TPU, 'fetch', 'tt', BUCKET='b')
  scp, sync = fake.calls('gcloud ')
  assert scp[4:] == ['scp', 'tt:swae_jax/runs/tt', 'runs/', '--recurse',
                     '--worker=0', '--zone=europe-west4-a']
  assert sync[1:] == ['storage', 'rsync', '--recursive', 'gs://b/tt',
                      'runs/tt']


@pytest.mark.parametrize('codes, gcloud, code', [
    ((0, 0), 0, 0), ((143, 143), 143, 143), ((134, 66), 134, 66),
    ((134, 143), 134, 134), ((0,), 255, 75), ((), 1, 75), ((2, 2), 2, 2),
    ((1,), 1, 1), ((137,), 255, 137)])
def test_a_run_ends_with_the_code_that_says_most(fake, codes, gcloud, code):
  fake.answer('ssh swae_jax.main', (ended(*codes)[0], gcloud))
  fake.run(TPU, 'run', 'tt', code=code)
  (run,) = fake.calls('ssh')
  assert '--worker=all' in run


def remote(fake, *flags, **env):
  """The command line that a worker gets."""
  fake.run(TPU, 'run', 'tt', *flags, **env)
  return next(a.partition('=')[2] for a in fake.calls('ssh')[-1]
              if a.startswith('--command='))


@pytest.fixture
def worker(fake):
  """Carries out command lines as a worker; `program` is its Python."""
  def carry_out(command, program):
    path = fake.home / 'swae_jax/.venv/bin/python'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/bash\n{program}\n')
    path.chmod(0o755)
    # gcloud splits it at spaces, ssh joins it again.
    found = subprocess.run(
        ['bash', '-c', ' '.join(command.split(' '))], cwd=fake.home,
        env={'PATH': os.environ['PATH']}, capture_output=True, text=True,
        check=False)
    return found.returncode, found.stdout
  return carry_out


def test_a_worker_gets_flags_as_they_were_given(fake, worker):
  flags = ['--config=configs/mnist.py:vae', "--config.a=two  words 'x' $HOME"]
  show = 'echo "$JAX_COORDINATOR_PORT"; printf "%s\\n" "$@"'
  code, out = worker(remote(fake, *flags), show)
  assert code == 0
  assert out.splitlines()[:-1] == ['8476', '-m', 'swae_jax.main', *flags,
                                   '--workdir=runs/tt']
  assert re.fullmatch(r'swae_jax: \S+ ended with 0', out.splitlines()[-1])


def test_a_bucket_is_the_workdir(fake):
  assert '--workdir=gs://b/tt;' in remote(fake, BUCKET='b')


@pytest.mark.parametrize('program, code', [
    ('exit 66', 66), ('kill -KILL $$', 137), ('kill -SEGV $$', 139)])
def test_a_worker_says_its_code(fake, worker, program, code):
  found, out = worker(remote(fake), program)
  assert found == code and out.endswith(f'ended with {code}\n')


def test_a_worker_waits_for_what_an_earlier_ssh_left(fake, worker):
  command = remote(fake)
  assert worker(command, 'true')[0] == 0
  with subprocess.Popen(['flock', 'swae_jax/.run.lock', 'sleep', '60'],
                        cwd=fake.home, start_new_session=True) as left:
    while subprocess.run(['flock', '-n', 'swae_jax/.run.lock', 'true'],
                         cwd=fake.home, check=False).returncode == 0:
      pass
    assert worker(command.replace('-w 60', '-w 0'), 'true')[0] == 75
    os.killpg(left.pid, 9)


def test_babysit_restarts_after_a_save(fake):
  states(fake, ABSENT, 'ACTIVE')
  fake.answer('ssh swae_jax.main', ended(143, 143), ended(0, 0))
  said = fake.run(TPU, 'babysit', 'tt', '--config=configs/mnist.py')
  assert verbs(fake) == [
      'names', 'state', 'create', 'state', 'scp', 'install', 'run',
      'names', 'state', 'run']
  assert 'exit code 143, newest checkpoint -1: restart 1 of 10' in said
  assert 'a preemption deletes the checkpoints' in said
  run = fake.calls('swae_jax.main')[-1]
  assert '--config=configs/mnist.py --workdir=runs/tt' in ' '.join(run)


@pytest.mark.parametrize('code', [1, 2, 65, 66, 70, 73, 74, 130])
def test_babysit_leaves_a_mistake_to_its_user(fake, code):
  states(fake, 'ACTIVE')
  fake.answer('ssh swae_jax.main', ended(code, 134))
  fake.run(TPU, 'babysit', 'tt', code=code)
  assert verbs(fake).count('run') == 1


def test_babysit_brings_back_what_was_preempted(fake):
  states(fake, 'ACTIVE', 'SUSPENDED', ABSENT, 'WAITING_FOR_RESOURCES',
         'ACTIVE')
  fake.answer('ssh swae_jax.main', ('Connection closed\n', 255), ended(0))
  said = fake.run(TPU, 'babysit', 'tt', BUCKET='b')
  assert verbs(fake) == [
      'names', 'state', 'scp', 'install', 'run', 'names', 'state', 'delete',
      'state', 'create', 'state', 'state', 'scp', 'install', 'run']
  assert 'lost a worker of tt (gcloud: exit code 255)' in said


def test_babysit_gives_up_without_progress(fake):
  states(fake, 'ACTIVE')
  names(fake, '5 10')
  fake.answer('ssh swae_jax.main', ended(75))
  said = fake.run(TPU, 'babysit', 'tt', code=75, RESTARTS='2')
  assert verbs(fake).count('run') == 3
  assert said.splitlines()[-1] == (
      'swae_jax: exit code 75; 2 restarts in a row left no checkpoint after '
      'step 10, so this was the last')


def test_babysit_goes_on_while_there_is_progress(fake):
  states(fake, 'ACTIVE')
  # A step that is being written or was set aside does not count; 15 > 9.
  names(fake, '5', '5 9', '15 9', '15 20.tmp corrupt-30', '15 16')
  fake.answer('ssh swae_jax.main', *[ended(143)] * 7)
  fake.run(TPU, 'babysit', 'tt', code=143, RESTARTS='2')
  assert verbs(fake).count('run') == 6


def test_babysit_tries_a_set_up_that_fails_again(fake):
  states(fake, 'ACTIVE')
  fake.answer("ssh '.[tpu,gcs]'", ('no network', 1), ('', 0))
  fake.answer('ssh swae_jax.main', ended(0))
  fake.run(TPU, 'babysit', 'tt')
  assert verbs(fake).count('install') == 2 and verbs(fake).count('run') == 1


@pytest.mark.parametrize('argv, words', [
    ([], 'launch/tpu_vm.sh create NAME'), (['create'], 'tpu_vm.sh create NAME'),
    (['destroy', 'tt'], 'launch/tpu_vm.sh create NAME'),
    (['create', 'My_TPU'], 'no name of a TPU'),
    (['run', 'tt', '--workdir=runs/a'], 'workdir is runs/tt; leave')])
def test_a_mistake_calls_nothing(fake, argv, words):
  assert words in fake.run(TPU, *argv, code=2)
  assert not fake.calls()


def test_a_dry_run_prints_and_does_nothing(fake):
  for command in ('create', 'setup', 'run', 'fetch', 'delete'):
    fake.run(TPU, '--dry_run', command, 'tt')
    assert fake.out.startswith(('gcloud ', 'git archive '))
  fake.run(TPU, '--dry_run', 'babysit', 'tt', '--config=configs/mnist.py')
  for part in ('create tt', 'scp ', '.[tpu,gcs]', 'swae_jax.main'):
    assert part in fake.out
  assert not fake.calls()
