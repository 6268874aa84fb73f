"""What every penalty provides to the system `wae`."""
from collections.abc import Callable
from typing import Any, NamedTuple

import jax


class Penalty(NamedTuple):
  """A penalty on codes that do not have the law of the prior."""
  init: Callable[[jax.Array], dict]  # key -> {player: params} beside the model
  # params, z [B, D], z_prior [B, D], key -> {name: scalar}: their sum is
  # weighed, and each is a metric
  terms: Callable[[Any, jax.Array, jax.Array, jax.Array], dict]


def without_player(name: str, divergence: Callable) -> Penalty:
  """The penalty that is one divergence: z, z_prior, key -> scalar."""
  return Penalty(
      init=lambda key: {},
      terms=lambda params, z, z_prior, key: {
          name: divergence(z, z_prior, key)})
