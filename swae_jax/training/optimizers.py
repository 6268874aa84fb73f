"""Optimizers and learning-rate schedules, each a function of its options.

A schedule counts in epochs, of `epoch` steps each, and not in parts of the
run, so that a longer run begins as a shorter one does.
"""
import jax
import jax.numpy as jnp
import optax

from swae_jax import errors


def normalize_gradients(eps=1e-7):
  """Divides the gradient of each tensor by its own Euclidean norm."""
  def one(g):
    return g / (jnp.sqrt(jnp.sum(g**2)) + eps)

  return optax.stateless(lambda updates, _: jax.tree.map(one, updates))


def adam(learning_rate, *, b1=.9, b2=.999, eps=1e-8):
  """Adam."""
  return optax.adam(learning_rate, b1, b2, eps)


def adam_norm_grad(learning_rate, *, b1=.9, b2=.999, eps=1e-8):
  """Adam on normalised gradients, as the codes of SWAE and VampPrior do."""
  return optax.chain(normalize_gradients(),
                     optax.adam(learning_rate, b1, b2, eps))


def rmsprop(learning_rate, *, decay=.9, eps=1e-7):
  """RMSprop with the decay and epsilon of Keras, epsilon outside the root."""
  return optax.rmsprop(learning_rate, decay, eps, eps_in_sqrt=False)


def constant(learning_rate, epoch):
  """The same at every step."""
  del epoch
  return learning_rate


def step(learning_rate, epoch, *, epochs=(30, 50, 100), factors=(.5, .1, .01)):
  """Times factors[i] from epochs[i] on, of the rate at the start."""
  if len(epochs) != len(factors) or list(epochs) != sorted(set(epochs)):
    raise errors.UserError(f'schedule step: epochs={epochs} must rise, and '
                           f'factors={factors} be as many')
  if not all(factor > 0 for factor in factors):
    raise errors.UserError(
        f'schedule step: factors={factors} must be above 0')
  scales = [1., *factors]
  return optax.piecewise_constant_schedule(learning_rate, {
      e * epoch: after / before for e, before, after
      in zip(epochs, scales[:-1], scales[1:], strict=True)})


def exponential(learning_rate, epoch, *, epochs=100, factor=.01):
  """Times factor^(t / epochs), smoothly; past `epochs` it goes on to fall."""
  return optax.exponential_decay(learning_rate, epochs * epoch, factor)


OPTIMIZERS = {'adam': adam, 'adam_norm_grad': adam_norm_grad,
              'rmsprop': rmsprop}
SCHEDULES = {'constant': constant, 'step': step, 'exponential': exponential}
