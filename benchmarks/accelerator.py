"""The training step of every system and the losses, on the devices found here.

  python -m benchmarks.accelerator --out=results/accelerator.json

Each system has the network and the batch size of its paper.  A loss is timed
with its gradient.  Times are medians of several blocks; a block is a number of
calls, awaited at its end.  Compilation is timed apart.  --small has small
perceptrons and batches and takes a minute or two on a CPU.
"""
import argparse
from collections.abc import Callable, Sequence
import json
import math
import pathlib
import sys
import time
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import house
from swae_jax import losses, priors
from swae_jax.training import build, presets

GREY = {'data.random_images.binarize': False}
COLOUR = {**GREY, 'data.random_images.side': 64, 'latents': 64,
          'data.random_images.channels': 3}

CASES: dict[str, dict[str, Any]] = {
    **{name: presets.SETTINGS[name] for name in (
        'ae', 'swae', 'vae', 'vampprior', 'mim', 'wae_mmd', 'wae_gan')},
    'sliced': {**presets.SLICED, **GREY},
    'wae_mmd 64x64': {**presets.WAE_MMD, **COLOUR},
    'wae_gan 64x64': {**presets.WAE_GAN, **COLOUR},
}
SIZES = ((100, 8), (1000, 64), (8000, 64))  # Examples, axes of a code.
SMALL_SIZES = ((20, 3),)


def small(settings: dict[str, Any]) -> dict[str, Any]:
  """The same system with a small perceptron, batch and number of components."""
  system, network = settings['system.name'], settings['network.name']
  components = {f'system.{system}.components': 5} if system in (
      'swae', 'vampprior', 'mim') else {}
  own = {k: v for k, v in settings.items()
         if not k.startswith(f'network.{network}.')}
  return {**own, 'network.name': 'mlp', 'network.mlp.hidden': 16,
          'data.random_images.side': 8, 'data.random_images.size': 50,
          'train.batch_size': 10, **components}


def median_block(call: Callable[[int], Any], blocks: int, calls: int) -> float:
  """Median seconds of a call over blocks, after a block of warm-up."""
  seconds = []
  for _ in range(blocks + 1):
    start = time.perf_counter()
    call(calls)
    seconds.append((time.perf_counter() - start) / calls)
  return float(np.median(seconds[1:]))


def megabytes(compiled: jax.stages.Compiled) -> float | None:
  """Megabytes on a device for a program: inputs, results and temporaries."""
  need = compiled.memory_analysis()
  if need is None:
    return None
  return (need.argument_size_in_bytes + need.output_size_in_bytes
          + need.temp_size_in_bytes - need.alias_size_in_bytes) / 1e6


def measure_step(name: str, flags: argparse.Namespace) -> dict[str, Any]:
  """The row of a system."""
  settings = small(CASES[name]) if flags.small else CASES[name]
  config = house.get_config(settings)
  batch = config.train.batch_size
  config.devices = math.gcd(flags.devices or jax.device_count(), batch)
  run = build.build(config)
  step = house.compile_step(run, build.init(run))
  seconds = median_block(step.advance, flags.blocks, flags.calls)
  return {'case': name, 'network': config.network.name, 'batch': batch,
          'devices': run.mesh.size, 'compile_s': step.seconds,
          'ms': 1e3 * seconds, 'examples_per_s': batch / seconds,
          'megabytes': megabytes(step.compiled)}


def batch_losses(n: int, d: int) -> dict[str, tuple[Callable, tuple]]:
  """{name: (loss, arrays)}; the gradient is that by the first array."""
  keys = jax.random.split(jax.random.key(0), 4)
  z, z_prior = (jax.random.normal(key, (n, d)) for key in keys[:2])
  theta = priors.directions(keys[2], 50, d)
  images = jax.random.uniform(keys[3], (2, min(n, 1000), 28, 28, 1))
  b = images.shape[1]
  kernels = losses.multiscale(losses.imq, 2. * d)
  return {
      'sliced_wasserstein': (losses.sliced_wasserstein, (z, z_prior, theta)),
      'max_sliced_wasserstein': (
          losses.max_sliced_wasserstein, (z, z_prior, theta)),
      'mmd': (lambda x, y: losses.mmd(x, y, losses.imq(2. * d)), (z, z_prior)),
      'mmd, 7 kernels': (lambda x, y: losses.mmd(x, y, kernels), (z, z_prior)),
      'kid': (losses.kid, (z, z_prior)),
      'critic_loss': (lambda a, b: losses.critic_loss(a, b).mean(),
                      (z[:, 0], z_prior[:, 0])),
      'joint_ot': (lambda x_gen, x, z, z_prior: losses.joint_ot(
          x, x_gen, x_gen, z, z_prior).loss.mean(),
          (images[0], images[1], z[:b], z_prior[:b])),
      'negative_elbo': (lambda mean, logvar, x: losses.negative_elbo(
          losses.log_bernoulli(x, 2 * x - 1),
          losses.kl_normal(mean, logvar)).mean(),
          (z[:b], z_prior[:b], images[0])),
  }


def measure_loss(name: str, n: int, loss: Callable, arrays: tuple,
                 flags: argparse.Namespace) -> dict[str, Any]:
  """The row of a loss with its gradient."""
  start = time.perf_counter()
  compiled = jax.jit(jax.value_and_grad(loss)).lower(*arrays).compile()
  compile_s = time.perf_counter() - start

  def call(calls):
    for _ in range(calls):
      out = compiled(*arrays)
    jax.block_until_ready(out)

  if not all(jnp.isfinite(x).all() for x in compiled(*arrays)):
    raise FloatingPointError(f'{name}: the loss or its gradient is not finite')
  seconds = median_block(call, flags.blocks, flags.calls)
  return {'case': f'{name} {arrays[0].shape}', 'network': '', 'batch': n,
          'devices': 1, 'compile_s': compile_s, 'ms': 1e3 * seconds,
          'examples_per_s': n / seconds, 'megabytes': megabytes(compiled)}


def machine() -> dict[str, Any]:
  """Devices and versions."""
  modules = jax, flax, optax, np
  return {'command': ' '.join(['python -m benchmarks.accelerator',
                               *sys.argv[1:]]),
          'backend': jax.default_backend(),
          'device_kind': jax.devices()[0].device_kind,
          'device_count': jax.device_count(),
          'python': sys.version.split()[0],
          'versions': {m.__name__: m.__version__ for m in modules}}


def write(path: str, found: dict[str, Any]) -> None:
  """Writes a JSON file, with its folder if there is none."""
  if path:
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(json.dumps(found, indent=1) + '\n')


def read_flags(argv: Sequence[str] | None) -> argparse.Namespace:
  """The flags, with a smaller number of blocks and calls for --small."""
  parser = argparse.ArgumentParser(
      prog='python -m benchmarks.accelerator', description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument('--out', default='', help='path of a JSON file to write')
  parser.add_argument('--only', nargs='*', choices=CASES, default=list(CASES),
                      help='systems; none for the losses alone')
  parser.add_argument('--no_losses', action='store_true')
  parser.add_argument('--small', action='store_true')
  parser.add_argument('--devices', type=int, default=0,
                      help='how many at most; 0: all that share a batch evenly')
  parser.add_argument('--blocks', type=int)
  parser.add_argument('--calls', type=int, help='in each block')
  flags = parser.parse_args(argv)
  flags.blocks = flags.blocks or (3 if flags.small else 7)
  flags.calls = flags.calls or (2 if flags.small else 20)
  return flags


def main(argv: Sequence[str] | None = None) -> None:
  """Prints a row for each case as soon as it is measured, and writes JSON."""
  flags = read_flags(argv)
  found = {**machine(), 'blocks': flags.blocks, 'calls': flags.calls,
           'small': flags.small, 'rows': []}
  versions = ', '.join(f'{k} {v}' for k, v in found['versions'].items())
  print(f'{found["device_count"]} x {found["device_kind"]} '
        f'({found["backend"]}); {versions}\n')
  print('| case | network | batch | devices | compile s | ms | examples/s '
        '| MB |\n| --- | --- | --- | --- | --- | --- | --- | --- |', flush=True)

  def add(row):
    found['rows'].append(row)
    write(flags.out, found)  # A later failure leaves the rows so far.
    memory = '' if row['megabytes'] is None else f'{row["megabytes"]:.1f}'
    print(f'| {row["case"]} | {row["network"]} | {row["batch"]} '
          f'| {row["devices"]} | {row["compile_s"]:.1f} | {row["ms"]:.3g} '
          f'| {row["examples_per_s"]:.0f} | {memory} |', flush=True)

  for name in flags.only:
    add(measure_step(name, flags))
  if flags.no_losses:
    return
  for n, d in SMALL_SIZES if flags.small else SIZES:
    for name, (loss, arrays) in batch_losses(n, d).items():
      add(measure_loss(name, n, loss, arrays, flags))


if __name__ == '__main__':
  # A cached program would look as if compiling took no time.
  jax.config.update('jax_enable_compilation_cache', False)
  main()
