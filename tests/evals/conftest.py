"""The drawings of evaluators, before they become pixels."""
from typing import NamedTuple

import numpy as np
import pytest

from swae_jax.evals import pictures


class Drawn(NamedTuple):
  """A call of pictures.labelled."""
  title: str
  groups: list
  rest: dict

  @property
  def rows(self):
    return [row for group in self.groups for row in group]

  @property
  def labels(self):
    return [row.left for row in self.rows]

  def levels(self):
    """The first pixel of each image in 256 levels, row by row."""
    return [np.rint(255 * row.images[:, 0, 0, 0]).astype(int).tolist()
            for row in self.rows]


@pytest.fixture
def drawn(monkeypatch):
  """The pictures of images that are drawn, one after the other."""
  seen, real = [], pictures.labelled

  def labelled(title, groups, **rest):
    seen.append(Drawn(title, groups, rest))
    return real(title, groups, **rest)

  monkeypatch.setattr(pictures, 'labelled', labelled)
  return seen
