"""The compiled training step of swae_jax, on random images."""
from collections.abc import Callable
import functools
import time
from typing import Any, NamedTuple

import jax
import ml_collections
import numpy as np

from swae_jax import data, options
from swae_jax.data import base as data_base
from swae_jax.data import batches
from swae_jax.host import mesh
from swae_jax.networks import convolution
from swae_jax.training import build
from swae_jax.training import config as config_lib


def random_images(*, side: options.Count = 28, channels: options.Count = 1,
                  size: options.Count = 2000,
                  binarize: bool = True) -> data_base.Dataset:
  """A data set of random bytes; the pixels do not change the time of a step.

  Args:
    side: of the images, which are square.
    channels: of the images.
    size: number of images.
    binarize: draws pixels at each step, as for MNIST.
  """
  rng = np.random.default_rng(0)
  images = rng.integers(256, size=(size, side, side, channels), dtype=np.uint8)
  split = data_base.Split(images, np.zeros(size, np.int32))
  return data_base.Dataset('random_images', split, split, split,
                           binarize=binarize, bounded=True, classes=1,
                           provenance={})


def get_config(settings: dict[str, Any]) -> ml_collections.ConfigDict:
  """The config of {option: value}, by default on random images.

  No evaluator runs.
  """
  data.DATASETS['random_images'] = random_images
  config = config_lib.get_config({'data.name': 'random_images', **settings})
  for evaluator in config.evals.values():
    evaluator.run = False
  return config


class Step(NamedTuple):
  """A compiled training step.

  Attributes:
    advance: number of steps -> the loss of the last one, when it is done.
    compiled: the program.
    seconds: that tracing and compiling took.
  """
  advance: Callable[[int], float]
  compiled: jax.stages.Compiled
  seconds: float


def compile_step(run: build.Run, state: Any, form: str = '') -> Step:
  """The step of a run, which starts from `state` and trains on.

  As in a training run, the host draws the indices of each batch and the
  device gathers the images.

  Args:
    run: the parts of the run.
    state: the state before the first step, on the host.
    form: of the convolutions; '' is the default of the backend.
  """
  config, images = run.config, run.dataset.train.images
  everywhere, spread = mesh.everywhere(run.mesh), mesh.spread(run.mesh)
  draw = functools.partial(batches.indices, config.seed, size=len(images),
                           batch_size=config.train.batch_size)
  images, count = mesh.put(images, everywhere), 0
  state = mesh.put(state, everywhere)
  start = time.perf_counter()
  with convolution.form(form or convolution.default()):
    step = build.step(run).lower(
        state, images, mesh.put(draw(step=0), spread)).compile()
  seconds = time.perf_counter() - start

  def advance(steps: int) -> float:
    nonlocal state, count
    for _ in range(steps):
      indices = mesh.put(draw(step=count), spread)
      state, metrics = step(state, images, indices)
      count += 1
      if run.mesh.size > 1 and jax.default_backend() == 'cpu':
        jax.block_until_ready(state)  # Virtual devices may dead-lock.
    return float(jax.block_until_ready((state, metrics))[1]['loss'])

  return Step(advance, step, seconds)
