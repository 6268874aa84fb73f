"""launch/gke_jobset.sh: the manifest, and what kubectl is asked."""
import pathlib
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).parent.parent.parent
GKE = 'launch/gke_jobset.sh'


def render(fake, *flags, **env):
  fake.run(GKE, 'render', 'tt', *flags, **{'IMAGE': 'me/swae', **env})
  return yaml.safe_load(fake.out)


def job_of(manifest):
  (workers,) = manifest['spec']['replicatedJobs']
  return workers['template']['spec']


def pod_of(manifest):
  return job_of(manifest)['template']['spec']


def test_it_restarts_on_the_codes_that_the_loops_restart_on(fake):
  manifest = render(fake, RESTARTS='7')
  assert manifest['apiVersion'] == 'jobset.x-k8s.io/v1alpha2'
  assert manifest['kind'] == 'JobSet' and manifest['metadata']['name'] == 'tt'
  policy = manifest['spec']['failurePolicy']
  assert policy['maxRestarts'] == 7
  assert policy['rules'] == [{'action': 'FailJobSet',
                              'onJobFailureReasons': ['PodFailurePolicy']}]
  job = job_of(manifest)
  assert job['backoffLimit'] == 0
  disrupted, codes = job['podFailurePolicy']['rules']
  assert disrupted == {'action': 'Count',
                       'onPodConditions': [{'type': 'DisruptionTarget'}]}
  assert codes['action'] == 'FailJob'
  exits = codes['onExitCodes']
  assert exits['operator'] == 'NotIn' and exits['containerName'] == 'main'
  retry = subprocess.run(
      ['bash', '-c', 'source launch/babysit.sh\n'
       'for i in {0..255}; do ! is_retry $i || echo $i; done'],
      cwd=ROOT, capture_output=True, text=True, check=True).stdout
  assert exits['values'] == [int(code) for code in retry.split()]
  assert pod_of(manifest)['restartPolicy'] == 'Never'  # Else no policy.


@pytest.mark.parametrize('topology, chips, hosts', [
    ('2x2x1', '4', 1), ('2x2x4', '4', 4), ('4x4', '4', 4), ('2x4', '8', 1)])
def test_hosts_go_by_the_topology(fake, topology, chips, hosts):
  manifest = render(fake, TOPOLOGY=topology, CHIPS=chips, ACCELERATOR='a')
  job, pod = job_of(manifest), pod_of(manifest)
  assert job['parallelism'] == job['completions'] == hosts
  assert job['completionMode'] == 'Indexed'
  assert pod['containers'][0]['resources']['limits'] == {
      'google.com/tpu': int(chips)}
  assert pod['nodeSelector'] == {
      'cloud.google.com/gke-tpu-accelerator': 'a',
      'cloud.google.com/gke-tpu-topology': topology,
      'cloud.google.com/gke-spot': 'true'}


def test_flags_arrive_as_they_were_given(fake):
  flags = ['--config=configs/mnist.py:wae_mmd', '--config.a="x": {y} # \\n']
  (main,) = pod_of(render(fake, *flags))['containers']
  assert main['name'] == 'main' and main['image'] == 'me/swae'
  assert main['command'] == ['python', '-m', 'swae_jax.main', *flags,
                             '--workdir=runs/tt']


def test_spot_and_bucket_are_choices(fake):
  pod = pod_of(render(fake, SPOT='0'))
  assert 'tolerations' not in pod and len(pod['nodeSelector']) == 2
  pod = pod_of(render(fake, BUCKET='b', SERVICE_ACCOUNT='sa'))
  assert pod['serviceAccountName'] == 'sa' and 'tolerations' in pod
  assert pod['containers'][0]['command'][-1] == '--workdir=gs://b/tt'


def test_kubectl_gets_the_manifest(fake):
  fake.run(GKE, 'apply', 'tt', '--config=a', IMAGE='me/swae')
  assert fake.calls() == [['kubectl', 'apply', '-f', '-']]
  applied = yaml.safe_load(fake.stdin())
  assert applied == render(fake, '--config=a')
  fake.run(GKE, 'delete', 'tt')
  fake.run(GKE, 'logs', 'tt')
  delete, logs = fake.calls()[1:]
  assert delete == ['kubectl', 'delete', 'jobset', 'tt', '--ignore-not-found']
  assert 'jobset-name=tt' in logs[-1] and logs[1] == 'logs'


@pytest.mark.parametrize('argv, env, words', [
    ([], {}, 'usage: '), (['apply'], {}, 'usage: '),
    (['apply', 'tt'], {}, 'IMAGE= is missing'),
    (['apply', 'tt'], {'IMAGE': 'i', 'TOPOLOGY': '2x3'}, 'not a multiple'),
    (['apply', 'T'], {'IMAGE': 'i'}, 'no name of a JobSet'),
    (['start', 'tt'], {'IMAGE': 'i'}, 'none of render'),
    (['apply', 'tt', '--workdir=a'], {'IMAGE': 'i'}, 'is runs/tt; leave')])
def test_a_mistake_calls_nothing(fake, argv, env, words):
  said = fake.run(GKE, *argv, code=2, **env)
  assert words in said and len(said.splitlines()) == 1
  assert not fake.calls()
