"""Measures the cost of a run without training it; writes nothing."""
import time
from typing import Any

import jax

from swae_jax import errors
from swae_jax.data import batches
from swae_jax.data.formats import cache
from swae_jax.host import console as console_lib
from swae_jax.host import mesh as mesh_lib
from swae_jax.training import build, loop, train
from swae_jax.workdir import folder

STEPS = 3  # Timed steps; one step goes before them.


def dry_run(config: Any, workdir: str, **how: bool) -> None:
  """Builds, compiles and steps; prints memory, disk and time.

  Args:
    config: the options, as a config file returns them.
    workdir: the folder of the run; '' takes runs/<config.name>.
    **how: allow_config_change and restart, as in train.run.
  """
  if jax.config.jax_disable_jit:
    raise errors.UserError('JAX_DISABLE_JIT is set: a dry run measures the '
                           'compiled step; unset the variable')
  config, where, _ = train.check(config, workdir, **how)
  with cache.unwritten():
    run = build.build(config)
  config = run.config
  state, images = build.init(run), run.dataset.train.images
  console = console_lib.Console()
  console.start(run, state, where)
  room = folder.room(state, config.train)
  step = loop.compiled(run, console)
  everywhere = mesh_lib.everywhere(run.mesh)
  state, there = (mesh_lib.put(x, everywhere) for x in (state, images))
  for i in range(STEPS + 1):
    if i == 1:
      began = time.monotonic()
    indices = mesh_lib.put(
        batches.indices(config.seed, i, config.train.batch_size, len(images)),
        mesh_lib.spread(run.mesh))
    state, metrics = jax.block_until_ready(step(state, there, indices))
  seconds = (time.monotonic() - began) / STEPS
  used = step.memory_analysis()
  memory = used.temp_size_in_bytes + used.argument_size_in_bytes
  minutes = round(seconds * run.steps / 60)
  console.line(f'loss      {float(mesh_lib.fetch(metrics["loss"])):.4g} at '
               f'step {STEPS + 1}')
  console.line(f'memory    {memory / 2**20:.0f} MiB on each device, of which '
               f'images {images.nbytes / 2**20:.0f}')
  console.line(f'disk      {room / 2**20:.1f} MiB of checkpoints')
  console.line(f'time      {seconds * 1e3:.1f} ms a step, {minutes // 60}:'
               f'{minutes % 60:02} hours for {run.steps} steps, without '
               'evaluation')
