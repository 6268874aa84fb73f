"""The training step of swae_jax beside plain JAX of the same mathematics.

  python -m benchmarks.step --output step.json

This measures the overhead of one step for all systems over a step that
`plain.py` writes by hand for each system.  Both start from the same parameters
and draw the same batches and noise.  Their first losses must agree before
anything is timed.  A round is a number of steps of one, then of the other, each
awaited at its end only; a ratio compares the two in one round.  Images are
random bytes.  On a CPU swae_jax has its own convolutions; `--form plain` leaves
them to XLA, as the plain step does, and shows the overhead alone.
"""
import argparse
import json
import sys
import time
from typing import Any, NamedTuple

import flax
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax

from benchmarks import house, plain
from swae_jax.networks import convolution
from swae_jax.training import build, presets

# After the first step losses agree less: Adam's first step has the size of the
# learning rate also where a gradient is nothing but rounding.
TOLERANCES = (1e-5, 1e-3, 1e-3)


def by_hand(run, state):
  """The same in plain JAX."""
  config, images = run.config, run.dataset.train.images
  size, batch = len(images), config.train.batch_size
  step = plain.make(config, run.dataset)
  images, order, count = jnp.asarray(images), None, 0
  state = plain.init(config, state)

  def advance(steps):
    nonlocal state, order, count
    for _ in range(steps):
      epoch, i = divmod(count, size // batch)
      if i == 0:
        order = np.random.default_rng((config.seed, epoch)).permutation(size)
      indices = jnp.asarray(order[i * batch:(i + 1) * batch], jnp.int32)
      state, loss = step(state, images, indices)
      count += 1
    return float(jax.block_until_ready((state, loss))[1])

  return advance


def check(name, sides):
  """Ends the program unless the first losses agree.  -> those losses."""
  losses = [[side(1) for side in sides] for _ in TOLERANCES]
  for step, (pair, rtol) in enumerate(zip(losses, TOLERANCES, strict=True)):
    if not np.isclose(*pair, rtol=rtol, atol=0):
      sys.exit(f'{name}: the losses of step {step} are {pair[0]} in swae_jax '
               f'and {pair[1]} in plain JAX: their mathematics differ')
  return losses


def measure(sides, rounds, steps):
  """Seconds of each side in each round.  -> [2, rounds]."""
  seconds = np.zeros((2, rounds))
  for i in range(rounds):
    for j in (0, 1) if i % 2 else (1, 0):  # Neither is always the first.
      start = time.perf_counter()
      sides[j](steps)
      seconds[j, i] = time.perf_counter() - start
  return seconds


class Case(NamedTuple):
  """Options that differ from the defaults, on random binarised images."""
  settings: dict[str, Any]

  def config(self, small: bool) -> ml_collections.ConfigDict:
    """The config, as a config file would make it."""
    settings = {**self.settings, 'devices': 1}
    if small:
      settings['train.batch_size'] //= 5
      if 'data.name' not in settings:
        settings['data.random_images.side'] = 8
      if settings['system.name'] == 'swae':
        settings['system.swae.components'] = 50
    return house.get_config(settings)


CONV = {'network.name': 'gated_conv', 'optimizers.model.name': 'adam',
        'latents': 8, 'train.batch_size': 100}
CASES = {
    'swae': Case({**CONV, 'system.name': 'swae'}),
    'wae_mmd': Case({**CONV, 'system.name': 'wae', 'penalty.name': 'mmd'}),
    'sliced': Case(presets.SLICED),
    'swae_vectors': Case({
        **CONV, 'system.name': 'swae', 'network.name': 'mlp', 'latents': 2,
        'train.batch_size': 500, 'data.name': 'gmm'}),
}


def report(name, flags):
  """Measures one case, prints its row and returns it."""
  run = build.build(CASES[name].config(flags.small))
  config = run.config
  state = build.init(run)
  with jax.default_matmul_precision('highest'):  # Other roundings differ.
    ours = house.compile_step(run, state, flags.form)
    sides = ours.advance, by_hand(run, state)
    losses = check(name, sides)
  if jax.default_backend() != 'cpu':  # A CPU has one precision only.
    ours = house.compile_step(run, state, flags.form)
    sides = ours.advance, by_hand(run, state)
  measure(sides, 1, flags.steps)  # Warm-up.
  seconds = measure(sides, flags.rounds, flags.steps)
  batch, ratio = config.train.batch_size, seconds[0] / seconds[1]
  flops = ours.compiled.cost_analysis()['flops'] / batch
  rates = flags.steps * batch / np.median(seconds, axis=1)
  low, mid, high = np.min(ratio), np.median(ratio), np.max(ratio)
  print(f'| {name} | {config.network.name} | {batch} '
        f'| {rates[0]:.0f} | {rates[1]:.0f} '
        f'| {low:.3f} - {mid:.3f} - {high:.3f} | {flops:.2e} |', flush=True)
  return {'case': name, 'config': config.to_dict(), 'first_losses': losses,
          'steps': flags.steps, 'seconds': seconds[0].tolist(),
          'seconds_plain': seconds[1].tolist(), 'flops_per_image': flops}


def main():
  """Reads the flags and prints a Markdown table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--systems', default=','.join(CASES),
                      help='names with commas between them')
  parser.add_argument('--rounds', type=int, default=11)
  parser.add_argument('--steps', type=int, default=20, help='in each round')
  parser.add_argument('--small', action='store_true', help='images of 8 x 8')
  parser.add_argument('--form', choices=convolution.FORMS, default='',
                      help='of the convolutions of swae_jax')
  parser.add_argument('--output', help='path of a JSON file to write')
  flags = parser.parse_args()
  names = flags.systems.split(',')
  if not set(names) <= set(CASES):
    parser.error(f'--systems: there are {", ".join(CASES)}')
  device = jax.devices()[0].device_kind
  print(f'JAX {jax.__version__} on {device}; {flags.rounds} rounds of '
        f'{flags.steps} steps, medians\n')
  print('| system | network | batch | images/s | images/s plain '
        '| time / plain: min - median - max | FLOPs per image |')
  print('| --- | --- | --- | --- | --- | --- | --- |', flush=True)
  rows = [report(name, flags) for name in names]
  if flags.output:
    versions = {m.__name__: m.__version__ for m in (jax, flax, optax, np)}
    with open(flags.output, 'w') as f:
      json.dump({
          'command': ' '.join(['python -m benchmarks.step', *sys.argv[1:]]),
          'versions': versions, 'device': device, 'rows': rows}, f, indent=1)


if __name__ == '__main__':
  main()
