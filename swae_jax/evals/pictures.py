"""Pictures made of images, with words beside them.

Images stay exact: each is enlarged by a whole factor, and all words are drawn
outside of the images.
"""
from collections.abc import Sequence
import functools
import math
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from swae_jax import errors
from swae_jax.data import base as data_base

WIDTH = 640  # Pixels: small images are enlarged to about this width.
GAP, APART = 4, 18  # Pixels between images, and between groups of images.
PAD, LINE = 12, 24  # Pixels around the words, and the height of a line.
TITLE, LABEL = 17, 14  # Sizes of the font in pixels.
INK, PAPER = '#222222', 255


class Row(NamedTuple):
  """A row of a picture.

  Attributes:
    images: [N, H, W, 1 or 3] float; values are clipped to [0, 1].
    left: the label before the first image.
    right: the label behind the last image.
  """
  images: np.ndarray
  left: str = ''
  right: str = ''


class Head(NamedTuple):
  """Words above some columns: from column `first` to column `last`."""
  text: str
  first: int
  last: int


def tile(images: np.ndarray, columns: int, gap: int = GAP) -> np.ndarray:
  """Images in rows of `columns`, as one picture without words.

  Args:
    images: [N, H, W, 1 or 3] float; values are clipped to [0, 1].
    columns: images in a row.  White fills the last row.
    gap: pixels of white between the images.

  Returns:
    uint8 [height, width] if grey, or [height, width, 3].
  """
  if len(images) < 1 or columns < 1:
    raise errors.UserError(f'no picture of {len(images)} images in {columns} '
                           'columns: ask for at least one row and column')
  n, h, w, c = images.shape
  cells = _enlarged(images, max(1, WIDTH // (columns * w)))
  h, w = cells.shape[1:3]
  ys, xs = _places(-(-n // columns), h, gap), _places(columns, w, gap)
  canvas = np.full((ys[-1] + h, xs[-1] + w, c), PAPER, np.uint8)
  for i, cell in enumerate(cells):
    y, x = ys[i // columns], xs[i % columns]
    canvas[y:y + h, x:x + w] = cell
  return canvas[..., 0] if c == 1 else canvas


def labelled(title: str, groups: Sequence[Sequence[Row]], *,
             heads: Sequence[Head] = (), feet: Sequence[str] = (),
             foot: str = '', gap: int = GAP,
             apart: Sequence[int] = ()) -> np.ndarray:
  """Rows of images with a title and labels, as one picture.

  Args:
    title: one line at the top.
    groups: rows that belong together; wide gaps part the groups.
    heads: words above the columns.
    feet: a word below each column, '' for none.
    foot: one line at the bottom that explains `feet`.
    gap: pixels of white between the images of a group.
    apart: columns before which the gap is wide.

  Returns:
    uint8 [height, width] if all images are grey, or [height, width, 3].
  """
  rows = [row for group in groups for row in group]
  _, h, w, c = rows[0].images.shape
  columns = max(len(row.images) for row in rows)
  factor = max(1, WIDTH // (columns * w))
  if any(row.left or row.right for row in rows):
    factor = max(factor, -(-LINE // h))  # A label needs the height of a line.
  h, w = factor * h, factor * w
  left = _margin([row.left for row in rows], feet[:1], w)
  right = _margin([row.right for row in rows], feet[-1:], w)
  starts = np.cumsum([len(group) for group in groups])[:-1]
  xs = left + _places(columns, w, gap, apart)
  top = 2 * PAD + LINE * (2 if heads else 1)
  ys = top + _places(len(rows), h, gap, starts)
  width = max(xs[-1] + w + right, *(
      2 * PAD + _length(text, size) for text, size in (
          (title, TITLE), (foot, LABEL))))
  height = ys[-1] + h + PAD + LINE * (any(feet) + bool(foot))
  canvas = np.full((height, width, c), PAPER, np.uint8)
  for y, row in zip(ys, rows, strict=True):
    for x, cell in zip(xs, _enlarged(row.images, factor), strict=False):
      canvas[y:y + h, x:x + w] = cell
  image = Image.fromarray(canvas[..., 0] if c == 1 else canvas)
  draw, at = ImageDraw.Draw(image), _Layout(xs, ys, w, h)
  _text(draw, PAD, PAD + LINE // 2, title, 'lm', TITLE)
  _draw_rows(draw, rows, at)
  _draw_heads(draw, heads, at)
  _draw_feet(draw, feet, foot, at)
  return np.array(image)


def grouped(columns: int, **kinds: np.ndarray) -> list[list[Row]]:
  """Several kinds of the same images, one kind below the other.

  Args:
    columns: images in a row.
    **kinds: label of a kind, with '_' for a space: images [N, H, W, C].

  Returns:
    A group for each `columns` images, with a row for each kind.
  """
  n = len(next(iter(kinds.values())))
  return [[Row(images[i:i + columns], label.replace('_', ' '))
           for label, images in kinds.items()] for i in range(0, n, columns)]


def _enlarged(images, factor):
  """Images [N, H, W, C] float -> uint8 [N, factor H, factor W, C]."""
  return data_base.to_uint8(images).repeat(factor, 1).repeat(factor, 2)


def _places(n, size, gap, wide=()):
  """Where each of n images of `size` pixels starts along an axis.  [n]."""
  steps = [size + (APART if i in set(wide) else gap) for i in range(1, n)]
  return np.cumsum([0, *steps])


def _margin(labels, feet, w):
  """Pixels beside the images for the labels and the foot of the column."""
  label = max(_length(text, LABEL) for text in labels)
  beyond = [(_length(text, LABEL) - w) // 2 for text in feet]
  return PAD + max(0, label and label + PAD, *beyond)


class _Layout(NamedTuple):
  """Where the images are: left and upper edges, width and height of each."""
  xs: np.ndarray
  ys: np.ndarray
  w: int
  h: int


def _draw_rows(draw, rows, at):
  """Labels before and behind each row."""
  for y, row in zip(at.ys + at.h // 2, rows, strict=True):
    _text(draw, at.xs[0] - PAD // 2, y, row.left, 'rm')
    _text(draw, at.xs[-1] + at.w + PAD // 2, y, row.right, 'lm')


def _draw_heads(draw, heads, at):
  """Words above columns, each with a bracket over several columns."""
  y = at.ys[0] - 5
  for text, first, last in heads:
    start, end = at.xs[first], at.xs[last] + at.w - 1
    _text(draw, (start + end) // 2, y - 10, text, 'mm')
    if last > first:
      draw.line((start, y + 3, start, y, end, y, end, y + 3), INK)


def _draw_feet(draw, feet, foot, at):
  """A word below each column that has room for it, and the line below."""
  y, free = at.ys[-1] + at.h + LINE // 2, 0.
  for x, text in zip(at.xs + at.w // 2, feet, strict=bool(feet)):
    half = _length(text, LABEL) / 2
    if text and x - half >= free:
      _text(draw, x, y, text, 'mm')
      free = x + half + PAD / 2
  if foot:
    middle = (at.xs[0] + at.xs[-1] + at.w) // 2
    _text(draw, middle, y + LINE * any(feet), foot, 'mm')


def _text(draw, x, y, text, anchor, size=LABEL):
  """A line of text; `anchor` names its point at (x, y), 'lm': left, middle."""
  draw.text((x, y), text, INK, _font(size), anchor)


@functools.cache
def _font(size):
  """DejaVu Sans, the font of all other pictures."""
  import matplotlib  # Takes a moment.
  path = pathlib.Path(matplotlib.get_data_path()) / 'fonts/ttf/DejaVuSans.ttf'
  return ImageFont.truetype(str(path), size)


def _length(text, size):
  """The length of a line of text in pixels."""
  return math.ceil(_font(size).getlength(text))
