"""Optimizers and learning-rate schedules, each a function of its options.

A schedule counts epochs of `steps_per_epoch` steps, not parts of the run, so a
longer run begins like a shorter run.
"""
from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax

from swae_jax import errors, options

Rate = Any  # a learning rate, or step -> learning rate
# The decay of a moment: a decay of 1 never forgets.
Decay = Annotated[float, options.Range(0, 1, open_high=True)]


def normalize_gradients(eps: float = 1e-7) -> optax.GradientTransformation:
  """Divides the gradient of each tensor by its own Euclidean norm."""
  def one(g):
    return g / (jnp.sqrt(jnp.sum(g**2)) + eps)

  return optax.stateless(lambda updates, _: jax.tree.map(one, updates))


def adam(learning_rate: Rate, *, b1: Decay = .9, b2: Decay = .999,
         eps: options.Positive = 1e-8) -> optax.GradientTransformation:
  """Adam (Kingma and Ba 2015)."""
  return optax.adam(learning_rate, b1, b2, eps)


def adam_norm_grad(learning_rate: Rate, *, b1: Decay = .9, b2: Decay = .999,
                   eps: options.Positive = 1e-8
                   ) -> optax.GradientTransformation:
  """Adam on normalised gradients.

  The released codes of Sun & Guo 2021 and of Tomczak & Welling 2018 use it.
  """
  return optax.chain(normalize_gradients(),
                     optax.adam(learning_rate, b1, b2, eps))


def rmsprop(learning_rate: Rate, *, decay: Decay = .9,
            eps: options.Positive = 1e-7) -> optax.GradientTransformation:
  """RMSprop with the decay and epsilon of Keras, epsilon outside the root."""
  return optax.rmsprop(learning_rate, decay, eps, eps_in_sqrt=False)


def constant(learning_rate: float, steps_per_epoch: int) -> Rate:
  """The same rate at every step."""
  del steps_per_epoch
  return learning_rate


def step(learning_rate: float, steps_per_epoch: int, *,
         epochs: tuple[options.Count, ...] = (30, 50, 100),
         factors: tuple[options.Positive, ...] = (.5, .1, .01)) -> Rate:
  """From epochs[i] on, the rate is factors[i] times the first rate."""
  if len(epochs) != len(factors) or list(epochs) != sorted(set(epochs)):
    raise errors.UserError(
        f'schedule.step: epochs={epochs} must rise, and factors={factors} must '
        'have as many numbers')
  scales = [1., *factors]
  return optax.piecewise_constant_schedule(learning_rate, {
      e * steps_per_epoch: after / before for e, before, after
      in zip(epochs, scales[:-1], scales[1:], strict=True)})


def exponential(learning_rate: float, steps_per_epoch: int, *,
                epochs: options.Count = 100,
                factor: options.Positive = .01) -> Rate:
  """The rate times factor^(t / epochs) at epoch t, also after `epochs`."""
  return optax.exponential_decay(
      learning_rate, epochs * steps_per_epoch, factor)


OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    'adam': adam, 'adam_norm_grad': adam_norm_grad, 'rmsprop': rmsprop}
SCHEDULES: dict[str, Callable[..., Rate]] = {
    'constant': constant, 'step': step, 'exponential': exponential}
