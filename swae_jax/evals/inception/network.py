"""Inception as of 2015-12-05: the FID compares its features.

Szegedy et al., "Rethinking the Inception architecture for computer vision",
2016, figures 5 to 7, with batch norm folded into the convolutions.  The layers
have the names of the TensorFlow graph.  Like that graph, the network differs in
two things from the network in training: mean pools leave the padding out of the
mean, and the last block has a max pool.
"""
from collections.abc import Callable
import functools

from flax import linen as nn
import jax
import jax.numpy as jnp

SIZE = 299  # Pixels a side of the training images; the network needs 75.
ONE, THREE, ROW, COLUMN = (1, 1), (3, 3), (1, 7), (7, 1)
HALVE = {'strides': 2, 'padding': 'VALID'}


class Inception(nn.Module):
  """x [B, H, W, 3], about -1 to 1 -> features [B, tap] for each of `taps`.

  Attributes:
    taps: the layers, each named by its number of features; some of TAPS.
  """
  taps: tuple[int, ...] = (2048,)

  @nn.compact
  def __call__(self, x: jax.Array) -> tuple[jax.Array, ...]:
    """Means over the pixels; computes no layer after the last tap."""
    features = {}
    for tap, stage in STAGES:
      x = stage(x)
      if tap in self.taps:
        features[tap] = jnp.mean(x, axis=(1, 2))
      if len(features) == len(self.taps):
        return tuple(features[tap] for tap in self.taps)
    raise ValueError(f'Inception: taps {self.taps} must be some of {TAPS}')


def _conv(x, name, features, size, **options):
  """A convolution and its ReLU; 'SAME' and stride 1 unless options differ."""
  # `layers.conv` sets no precision, and the default of a TPU is bfloat16.
  return nn.relu(nn.Conv(features, size, name=name, precision='highest',
                         **options)(x))


def _chain(x, name, *layers):
  """Convolutions in a row, named `name`, `name`_1, ...

  Each layer is (features, size), and a dict of options if it has any.
  """
  for i, (features, size, *options) in enumerate(layers):
    x = _conv(x, f'{name}_{i}' if i else name, features, size,
              **(options[0] if options else {}))
  return x


def _halved(x):
  """Max pool with stride 2."""
  return nn.max_pool(x, THREE, (2, 2))


def _mean(x):
  """Mean pool with stride 1."""
  return nn.avg_pool(x, THREE, padding='SAME', count_include_pad=False)


def _max(x):
  """Max pool with stride 1."""
  return nn.max_pool(x, THREE, padding='SAME')


def _start(x):
  """[B, 299, 299, 3] -> [B, 73, 73, 64]."""
  return _halved(_chain(x, 'conv', (32, THREE, HALVE),
                        (32, THREE, {'padding': 'VALID'}), (64, THREE)))


def _second(x):
  """[B, 73, 73, 64] -> [B, 35, 35, 192]."""
  x = _conv(x, 'conv_3', 80, ONE)
  return _halved(_conv(x, 'conv_4', 192, THREE, padding='VALID'))


def _fine(x, name, width):
  """[B, 35, 35, C] -> [B, 35, 35, 224 + width]."""
  return jnp.concatenate([
      _conv(x, f'{name}_conv', 64, ONE),
      _chain(x, f'{name}_tower_conv', (48, ONE), (64, (5, 5))),
      _chain(x, f'{name}_tower_1_conv', (64, ONE), (96, THREE), (96, THREE)),
      _conv(_mean(x), f'{name}_tower_2_conv', width, ONE)], -1)


def _to_middle(x, name):
  """[B, 35, 35, 288] -> [B, 17, 17, 768]."""
  return jnp.concatenate([
      _conv(x, f'{name}_conv', 384, THREE, **HALVE),
      _chain(x, f'{name}_tower_conv', (64, ONE), (96, THREE),
             (96, THREE, HALVE)),
      _halved(x)], -1)


def _middle(x, name, width):
  """[B, 17, 17, 768] -> [B, 17, 17, 768]."""
  return jnp.concatenate([
      _conv(x, f'{name}_conv', 192, ONE),
      _chain(x, f'{name}_tower_conv', (width, ONE), (width, ROW),
             (192, COLUMN)),
      _chain(x, f'{name}_tower_1_conv', (width, ONE), (width, COLUMN),
             (width, ROW), (width, COLUMN), (192, ROW)),
      _conv(_mean(x), f'{name}_tower_2_conv', 192, ONE)], -1)


def _to_coarse(x, name):
  """[B, 17, 17, 768] -> [B, 8, 8, 1280]."""
  return jnp.concatenate([
      _chain(x, f'{name}_tower_conv', (192, ONE), (320, THREE, HALVE)),
      _chain(x, f'{name}_tower_1_conv', (192, ONE), (192, ROW), (192, COLUMN),
             (192, THREE, HALVE)),
      _halved(x)], -1)


def _coarse(x, name, pool):
  """[B, 8, 8, C] -> [B, 8, 8, 2048]."""
  tower = _conv(x, f'{name}_tower_conv', 384, ONE)
  tower_1 = _chain(x, f'{name}_tower_1_conv', (448, ONE), (384, THREE))
  return jnp.concatenate([
      _conv(x, f'{name}_conv', 320, ONE),
      _conv(tower, f'{name}_tower_mixed_conv', 384, (1, 3)),
      _conv(tower, f'{name}_tower_mixed_conv_1', 384, (3, 1)),
      _conv(tower_1, f'{name}_tower_1_mixed_conv', 384, (1, 3)),
      _conv(tower_1, f'{name}_tower_1_mixed_conv_1', 384, (3, 1)),
      _conv(pool(x), f'{name}_tower_2_conv', 192, ONE)], -1)


_part = functools.partial
# The stages in order, each with the tap after it, or None.
STAGES: tuple[tuple[int | None, Callable[..., jax.Array]], ...] = (
    (64, _start), (192, _second),
    *((None, _part(_fine, name=name, width=width)) for name, width in (
        ('mixed', 32), ('mixed_1', 64), ('mixed_2', 64))),
    (None, _part(_to_middle, name='mixed_3')),
    *((tap, _part(_middle, name=name, width=width)) for tap, name, width in (
        (None, 'mixed_4', 128), (None, 'mixed_5', 160), (None, 'mixed_6', 160),
        (768, 'mixed_7', 192))),
    (1280, _part(_to_coarse, name='mixed_8')),
    (None, _part(_coarse, name='mixed_9', pool=_mean)),
    (2048, _part(_coarse, name='mixed_10', pool=_max)),
)
TAPS = tuple(tap for tap, _ in STAGES if tap)
