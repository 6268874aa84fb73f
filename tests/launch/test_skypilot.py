"""launch/skypilot.yaml: what it asks for, and what its commands do."""
import pathlib

import pytest
import yaml

ROOT = pathlib.Path(__file__).parent.parent.parent
TASK = yaml.safe_load((ROOT / 'launch/skypilot.yaml').read_text())


def test_it_is_a_spot_job_with_its_runs_in_a_bucket():
  assert TASK['resources']['use_spot'] is True
  # Without more, SkyPilot recovers from preemptions and not from exit codes.
  assert TASK['resources']['job_recovery'] == {'strategy': 'EAGER_NEXT_REGION'}
  assert TASK['file_mounts'] == {'/runs': {'name': '${BUCKET}',
                                           'mode': 'MOUNT'}}
  assert TASK['envs']['BUCKET'] is None  # SkyPilot asks for it.
  assert (ROOT / TASK['workdir'] / 'requirements.txt').is_file()


def test_its_set_up_installs_the_checkout(fake):
  fake.program('python3')
  fake.run('bash', '-c', TASK['setup'])
  install = fake.calls()[-1]
  assert install[-4:] == ['-c', 'requirements.txt', '-e', '.[cuda]']
  fake.answer('venv', ('no Python 3.11', 1))
  assert 'no Python' in fake.run('bash', '-c', TASK['setup'], code=1)
  assert 'venv' in fake.calls()[-1]  # Nothing came after it.


@pytest.mark.parametrize('nodes, more', [
    ('1', []), ('2', ['--coordinator=10.0.0.5:8476', '--processes=2',
                      '--process=1'])])
def test_its_command(fake, nodes, more):
  (fake.home / 'launch').mkdir()
  fake.program('babysit.sh').rename(fake.home / 'launch/babysit.sh')
  fake.answer('babysit.sh', ('', 70))
  fake.run('bash', '-c', TASK['run'], cwd=fake.home, code=70,
           SKYPILOT_NUM_NODES=nodes, SKYPILOT_NODE_RANK='1', NAME='a',
           SKYPILOT_NODE_IPS='10.0.0.5\n10.0.0.6', FLAGS='--config=c --x=1')
  assert fake.calls() == [
      ['babysit.sh', '.venv/bin/python', '-m', 'swae_jax.main', '--config=c',
       '--x=1', *more, '--workdir=/runs/a']]
