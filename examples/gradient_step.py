"""A loss in your own code: one gradient step in plain JAX, without Flax.

  python -m examples.gradient_step

A linear autoencoder whose codes are held to a normal prior by the sliced
Wasserstein distance of Kolouri et al. 2018.
"""
import jax
import jax.numpy as jnp

from swae_jax import losses, priors

WEIGHT, RATE = 10., 1e-2


def init(key, pixels, latents):
  """Parameters: two matrices."""
  encoder_key, decoder_key = jax.random.split(key)
  return {'encoder': jax.random.normal(encoder_key, (pixels, latents)) / pixels,
          'decoder': jax.random.normal(decoder_key, (latents, pixels)) / pixels}


def loss(params, x, z_prior, theta, axis_name=None):
  """x [B, pixels], z_prior [B, D], theta [L, D] -> scalar."""
  z = x @ params['encoder']
  reconstruction = losses.squared_error(x, z @ params['decoder']).mean()
  penalty = losses.sliced_wasserstein(z, z_prior, theta, axis_name=axis_name)
  return reconstruction + WEIGHT * penalty


def descend(params, grads):
  """Parameters after a step against the gradient."""
  return jax.tree.map(lambda p, g: p - RATE * g, params, grads)


def draw(key, batch, latents):
  """Samples of the prior [B, D] and directions [50, D]; losses draw nothing."""
  prior_key, theta_key = jax.random.split(key)
  return (priors.normal().sample(prior_key, batch, latents),
          priors.directions(theta_key, 50, latents))


@jax.jit
def step(params, x, z_prior, theta):
  """-> params, loss."""
  value, grads = jax.value_and_grad(loss)(params, x, z_prior, theta)
  return descend(params, grads), value


def main():
  """Prints the loss of 300 steps on random images."""
  data_key, init_key, key = jax.random.split(jax.random.key(0), 3)
  x = jax.random.uniform(data_key, (64, 16))
  params = init(init_key, 16, 2)
  for i in range(300):
    z_prior, theta = draw(jax.random.fold_in(key, i), len(x), 2)
    params, value = step(params, x, z_prior, theta)
    if i % 50 == 0 or i == 299:
      print(f'step {i:3d}  loss {jnp.round(value, 3)}')


if __name__ == '__main__':
  main()
