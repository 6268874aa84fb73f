"""The interface of every penalty of the system `wae`."""
from collections.abc import Callable
from typing import Any, NamedTuple

import jax


class Penalty(NamedTuple):
  """A penalty on codes whose law differs from the prior."""
  init: Callable[[jax.Array], dict]  # key -> {player: params}, {} for no player
  # params, z [B, D], z_prior [B, D], key -> {name: scalar}: the loss has the
  # weighted sum of these scalars, and each scalar is a metric
  terms: Callable[[Any, jax.Array, jax.Array, jax.Array], dict]


def without_player(name: str, divergence: Callable) -> Penalty:
  """The penalty by one divergence: z, z_prior, key -> scalar.

  `name` names the metric; the penalty has no parameters.
  """
  return Penalty(
      init=lambda key: {},
      terms=lambda params, z, z_prior, key: {
          name: divergence(z, z_prior, key)})
