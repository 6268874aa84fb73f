"""Training steps of the house beside plain JAX ones of the same mathematics.

  python -m benchmarks.step --output step.json

What a house costs that does for every system what `plain.py` does by hand for
one.  Both start from the same parameters and draw the same batches and noise,
and before anything is timed their first losses must agree.  A round is a number
of steps of each, in turn, awaited at its end only; the ratios are of single
rounds.  Images are random bytes: what they show does not change the time.
On a CPU the house has convolutions of its own; `--form plain` leaves them to
XLA, as the plain step does, and shows the overhead alone.
"""
import argparse
import functools
import json
import sys
import time
from typing import NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import plain
from configs import base
from swae_jax import data, networks, priors, systems
from swae_jax.data import base as data_base
from swae_jax.data import batches
from swae_jax.host import mesh
from swae_jax.networks import convolution
from swae_jax.training import build

# After the first step losses agree less: Adam's first step has the size of the
# learning rate also where a gradient is nothing but rounding.
TOLERANCES = (1e-5, 1e-3, 1e-3)


def house(run, state, form):
  """Trains by as many steps as asked, by the means of `train.loop`.

  Returns:
    That function, which returns the last loss, and the FLOPs of an image.
  """
  config, images = run.config, run.dataset.train.images
  everywhere, spread = mesh.everywhere(run.mesh), mesh.spread(run.mesh)
  draw = functools.partial(batches.indices, config.seed, size=len(images),
                           batch_size=config.train.batch_size)
  images, count = mesh.put(images, everywhere), 0
  state = mesh.put(state, everywhere)
  with convolution.form(form or convolution.default()):
    step = build.step(run).lower(
        state, images, mesh.put(draw(step=0), spread)).compile()

  def advance(steps):
    nonlocal state, count
    for _ in range(steps):
      indices = mesh.put(draw(step=count), spread)
      state, metrics = step(state, images, indices)
      count += 1
    return float(jax.block_until_ready((state, metrics))[1]['loss'])

  return advance, step.cost_analysis()['flops'] / config.train.batch_size


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
      sys.exit(f'{name}: the losses of step {step} are {pair[0]} in the house '
               f'and {pair[1]} in plain JAX: not the same mathematics')
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


def random_bytes(*, side=28, size=2000):
  """A data set of random images, binarised at each step as MNIST is."""
  rng = np.random.default_rng(0)
  images = rng.integers(256, size=(size, side, side, 1), dtype=np.uint8)
  split = data_base.Split(images, np.zeros(size, np.int32))
  return data_base.Dataset('random_bytes', split, split, split, binarize=True,
                           bounded=True, classes=1, provenance={})


class Case(NamedTuple):
  """A system, all of whose other options are the defaults."""
  system: str
  network: str
  optimizer: str
  latents: int
  batch_size: int
  prior: str = 'normal'
  dataset: str = 'random_bytes'

  def config(self, small):
    """The config, as a config file would make it."""
    config = base.get_config(self.dataset)
    config.system = base.options(systems.SYSTEMS, self.system)
    config.network = base.options(networks.NETWORKS, self.network)
    config.prior = base.options(priors.PRIORS, self.prior)
    config.optimizers.model = base.optimizer(self.optimizer)
    config.latents = self.latents
    config.train.batch_size = self.batch_size // 5 if small else self.batch_size
    config.devices = 1
    if small and 'side' in config.data:
      config.data.side = 8
    if small and 'components' in config.system:
      config.system.components = 50
    return config


CASES = {
    'swae': Case('swae', 'gated_conv', 'adam', 8, 100),
    'wae_mmd': Case('wae_mmd', 'gated_conv', 'adam', 8, 100),
    'sliced': Case('sliced', 'avgpool', 'rmsprop', 2, 500, 'ring'),
    'swae_vectors': Case('swae', 'mlp', 'adam', 2, 500, dataset='gmm'),
}


def report(name, flags):
  """Measures one case, prints its row and returns it."""
  config = CASES[name].config(flags.small)
  run = build.build(config)
  state = build.init(run)
  with jax.default_matmul_precision('highest'):  # Else they round apart.
    ours, flops = house(run, state, flags.form)
    sides = ours, by_hand(run, state)
    losses = check(name, sides)
  if jax.default_backend() != 'cpu':  # A CPU has no other precision.
    ours, flops = house(run, state, flags.form)
    sides = ours, by_hand(run, state)
  measure(sides, 1, flags.steps)  # Warm-up.
  seconds = measure(sides, flags.rounds, flags.steps)
  batch, ratio = config.train.batch_size, seconds[0] / seconds[1]
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
                      help=f'which of {",".join(CASES)}')
  parser.add_argument('--rounds', type=int, default=11)
  parser.add_argument('--steps', type=int, default=20, help='in each round')
  parser.add_argument('--small', action='store_true', help='images of 8 x 8')
  parser.add_argument('--form', choices=convolution.FORMS,
                      help='of the convolutions of the house')
  parser.add_argument('--output', help='path of a JSON file to write')
  flags = parser.parse_args()
  names = flags.systems.split(',')
  if not set(names) <= set(CASES):
    parser.error(f'--systems: there are {", ".join(CASES)}')
  data.DATASETS['random_bytes'] = random_bytes
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
