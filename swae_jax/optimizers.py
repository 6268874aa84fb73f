"""Optimizers and learning-rate schedules, each a function of its options."""
import jax
import jax.numpy as jnp
import optax


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
  """RMSprop in the form of Keras, which the sliced autoencoder is given in."""
  return optax.rmsprop(learning_rate, decay, eps)


def constant(learning_rate):
  """The same at every step."""
  return learning_rate


def step(learning_rate, *, steps=(30,), factors=(.5,)):
  """Times the product of the factors whose step has come."""
  return optax.piecewise_constant_schedule(
      learning_rate, dict(zip(steps, factors, strict=True)))


def exponential(learning_rate, *, steps=1000, factor=.5):
  """Times factor^(t / steps)."""
  return optax.exponential_decay(learning_rate, steps, factor)


OPTIMIZERS = {'adam': adam, 'adam_norm_grad': adam_norm_grad,
              'rmsprop': rmsprop}
SCHEDULES = {'constant': constant, 'step': step, 'exponential': exponential}
