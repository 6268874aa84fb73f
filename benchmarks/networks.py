"""Training steps of the networks beside PyTorch's, in images per second.

  python -m benchmarks.networks --output networks.json
  python -m benchmarks.networks --only dcgan-28 --forms plain phases

A step is the loss of the system that the network was published with, its
gradient and Adam, in float32.  PyTorch runs the same layers and losses eagerly
in channels-last.  All take turns in one process; a ratio compares steps of one
round, when the load of the machine was the same.  Without PyTorch only JAX is
measured.
"""
import argparse
import importlib.util
import json
import sys
import time
from typing import NamedTuple

import jax
import numpy as np
import optax

from swae_jax import networks, priors, systems
from swae_jax.networks import convolution
from swae_jax.systems import base, penalties


class Case(NamedTuple):
  """A system, a network and a size of images to train."""
  system: str  # or the penalty of wae
  options: dict  # of the system
  network: str
  shape: tuple
  latents: int
  batch: int


CASES = {
    'dcgan-28': Case('mmd', {}, 'dcgan', (28, 28, 1), 8, 100),
    'dcgan-64': Case('mmd', {}, 'dcgan', (64, 64, 3), 64, 100),
    'gated_conv-28': Case(
        'swae', {'components': 500}, 'gated_conv', (28, 28, 1), 8, 100),
    'avgpool-28': Case(
        'sliced', {'cost': 'bce_l1'}, 'avgpool', (28, 28, 1), 2, 500),
}


def in_jax(case, images, form):
  """A function that does one awaited step, and the bytes of its arrays."""
  given = [networks.NETWORKS[case.network](case.shape)]
  if case.system in penalties.PENALTIES:
    prior = priors.normal()
    given += prior, penalties.PENALTIES[case.system](prior, case.latents)
  spec = base.Spec(case.shape, bounded=True, binary=False, steps_per_epoch=600)
  make = systems.SYSTEMS['wae' if len(given) > 1 else case.system]
  system = make(*given, spec, case.latents, **case.options)
  tx = optax.adam(1e-3)
  variables = system.init(jax.random.key(0), images)

  def step(variables, opt, x, key):
    loss = lambda params: system.loss(
        variables._replace(params=params), x, key, 0)
    grads, (stats, _) = jax.grad(loss, has_aux=True)(variables.params)
    updates, opt = tx.update(grads, opt)
    params = optax.apply_updates(variables.params, updates)
    return base.Variables(params, stats), opt

  x, key = jax.numpy.asarray(images[:case.batch]), jax.random.key(1)
  state = variables, tx.init(variables.params)
  with convolution.form(form):
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(
        *state, x, key).compile()

  def call():
    nonlocal state
    state = jax.block_until_ready(compiled(*state, x, key))

  return call, compiled.memory_analysis().temp_size_in_bytes


def measure(calls, rounds, steps):
  """Seconds of a step of each in each round.  -> {name: [rounds]}"""
  seconds = {name: [] for name in calls}
  for done in range(-1, rounds):  # The first is a warm-up.
    for name, call in calls.items():
      start = time.perf_counter()
      for _ in range(steps):
        call()
      if done >= 0:
        seconds[name].append((time.perf_counter() - start) / steps)
  return {name: np.array(s) for name, s in seconds.items()}


def report(name, flags):
  """Measures one case, prints its rows and returns them."""
  case = CASES[name]
  if flags.batch:
    case = case._replace(batch=flags.batch)
  images = np.random.default_rng(0).uniform(
      size=(max(500, case.batch), *case.shape)).astype('float32')
  calls, memory = {}, {}
  for form in flags.forms:
    calls[form], memory[form] = in_jax(case, images, form)
  if importlib.util.find_spec('torch') and not flags.alone:
    from benchmarks import torch_networks
    calls['PyTorch'] = torch_networks.step(case, images, flags.threads)
  seconds = measure(calls, flags.rounds, flags.steps)
  rows = []
  for who, s in seconds.items():
    ratio = seconds[list(calls)[-1]] / s
    mebibytes = memory[who] / 2**20 if who in memory else float('nan')
    rows.append({'case': name, 'batch': case.batch, 'implementation': who,
                 'seconds': s, 'temporary_mebibytes': mebibytes})
    print(f'| {name} | {case.batch} | {who} | {case.batch / np.median(s):.1f} '
          f'| {ratio.min():.2f} - {np.median(ratio):.2f} - {ratio.max():.2f} '
          f'| {mebibytes:.0f} |', flush=True)
  return rows


def main():
  """Reads the flags and prints a Markdown table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--only', nargs='*', choices=CASES, default=list(CASES))
  parser.add_argument('--forms', nargs='*', choices=convolution.FORMS,
                      default=[convolution.default()])
  parser.add_argument('--batch', type=int, help='instead of the published one')
  parser.add_argument('--rounds', type=int, default=7)
  parser.add_argument('--steps', type=int, default=2, help='in a round')
  parser.add_argument('--threads', type=int, default=2,
                      help='of PyTorch; JAX takes the cores it is given')
  parser.add_argument('--alone', action='store_true', help='without PyTorch')
  parser.add_argument('--output', help='path of a JSON file to write')
  flags = parser.parse_args()
  print(f'JAX {jax.__version__} on {jax.default_backend()}, '
        f'{flags.rounds} rounds of {flags.steps} steps, medians\n')
  print('| case | batch | implementation | images/s '
        '| times the last one: min - median - max | temporaries, MiB |')
  print('| --- | --- | --- | --- | --- | --- |')
  rows = [row for name in flags.only for row in report(name, flags)]
  if flags.output:
    with open(flags.output, 'w') as f:
      json.dump(rows, f, indent=1, default=np.ndarray.tolist)


if __name__ == '__main__':
  sys.exit(main())
