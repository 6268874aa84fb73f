"""Training steps in plain JAX, as one would write them by hand for one system.

Functions of dicts of arrays, jax.lax, Adam by hand; no Flax, no Optax, no mesh
and no metrics.  The names in a dict `p` are those of swae_jax.
"""
import functools

import jax
import jax.numpy as jnp


def conv(p, x, stride=1, padding='SAME'):
  """[B, H, W, C] -> [B, H', W', features]."""
  y = jax.lax.conv_general_dilated(
      x, p['kernel'], (stride, stride), padding,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
  return y + p['bias'] if 'bias' in p else y


def dense(p, x):
  """[B, n] -> [B, features]."""
  return x @ p['kernel'] + p['bias']


def gated(layer, p, x, *args):
  """h(x) * sigmoid(g(x)) of two layers of one kind."""
  return layer(p['h'], x, *args) * jax.nn.sigmoid(layer(p['g'], x, *args))


def pool(x):
  """Means of 2 x 2 pixels, of those that there are."""
  total = lambda a: jax.lax.reduce_window(
      a, 0., jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), 'SAME')
  return total(x) / total(jnp.ones((1, *x.shape[1:3], 1)))


def leaky(x):
  """Leaky ReLU."""
  return jnp.where(x > 0, x, .2 * x)


def heads(p, x):
  """The linear outputs.  [B, n] -> list of [B, width]."""
  return [dense(p[f'Dense_{i}'], x) for i in range(2) if f'Dense_{i}' in p]


# Networks.


def mlp_encoder(p, x):
  """[B, H, W, C] -> list of [B, width]."""
  x = x.reshape(len(x), -1)
  for i in range(2):
    x = gated(dense, p[f'GatedDense_{i}'], x)
  return heads(p, x)


def mlp_decoder(p, z, shape):
  """[B, D] -> [B, H, W, C]."""
  return mlp_encoder(p, z)[0].reshape(-1, *shape)


def gated_encoder(p, x):
  """[B, H, W, C] -> list of [B, width]."""
  for i, (n, stride) in enumerate(((7, 1), (3, 2), (5, 1), (3, 2), (3, 1))):
    x = gated(conv, p[f'GatedConv_{i}'], x, stride, [(n // 2, n // 2)] * 2)
  return heads(p, x.reshape(len(x), -1))


def gated_decoder(p, z, shape):
  """[B, D] -> [B, H, W, C]."""
  for i in range(2):
    z = gated(dense, p[f'GatedDense_{i}'], z)
  x = z.reshape(-1, *shape)
  for i in range(4):
    x = gated(conv, p[f'GatedConv_{i}'], x)
  return conv(p['Conv_0'], x)


def pool_encoder(p, x):
  """[B, H, W, C] -> list of one [B, width]."""
  for i in range(6):
    x = leaky(conv(p[f'Conv_{i}'], x))
    x = pool(x) if i % 2 else x
  x = dense(p['Dense_0'], x.reshape(len(x), -1))
  return [dense(p['Dense_1'], jax.nn.relu(x))]


def pool_decoder(p, z, shape):
  """[B, D] -> [B, H, W, C]."""
  side = -(-shape[0] // 8)
  x = jax.nn.relu(dense(p['Dense_1'], dense(p['Dense_0'], z)))
  x = x.reshape(len(z), side, side, -1)
  for i in range(6):
    x = x if i % 2 else x.repeat(2, 1).repeat(2, 2)
    padding = 'VALID' if i == 2 and shape[0] % 8 else 'SAME'
    x = leaky(conv(p[f'Conv_{i}'], x, 1, padding))
  return conv(p['Conv_6'], x)


# Losses.  Products of all pairs are in full float32, as in swae_jax.


def squared(x, y):
  """||x - y||^2 of each pair of examples.  -> [B]."""
  return jnp.sum((x - y)**2, axis=tuple(range(1, x.ndim)))


def swae(config, bounded, encode, decode, params, x, key):
  """Symmetric SWAE.  -> scalar."""
  o = config.system.swae
  u = params['pseudo_inputs']
  u = jnp.clip(u, 0., 1.) if bounded else u
  flat = jax.lax.stop_gradient(u.reshape(len(u), -1))
  xu = jnp.matmul(x.reshape(len(x), -1), flat.T, precision='highest')
  k = jnp.argmin(jnp.sum(flat**2, 1) - 2 * xu, axis=1)
  mean, logvar = encode(params['conditional'], u[k])
  logvar = jnp.clip(logvar, o.logvar_min, o.logvar_max)
  z_prior = mean + jnp.exp(.5 * logvar) * jax.random.normal(key, mean.shape)
  z_enc, = encode(params['encoder'], x)
  both = decode(params['decoder'], jnp.concatenate([z_enc, z_prior]))
  x_rec, x_gen = jnp.split(jax.nn.sigmoid(both) if bounded else both, 2)
  return jnp.mean(o.beta * squared(x, x_gen) + (1 - o.beta) * squared(x, x_rec)
                  + o.alpha * squared(z_enc, z_prior))


def wae_mmd(config, bounded, encode, decode, params, x, key):
  """WAE-MMD with the inverse multiquadratic kernel.  -> scalar."""
  del bounded
  n, scale = len(x), 2. * config.latents
  _, prior_key, _ = jax.random.split(key, 3)
  z, = encode(params['encoder'], x)
  y = jax.random.normal(prior_key, z.shape)

  def kernel(a, b):
    ab = jnp.matmul(a, b.T, precision='highest')
    d2 = jnp.sum(a**2, 1)[:, None] + jnp.sum(b**2, 1)[None] - 2 * ab
    return scale / (scale + jnp.maximum(d2, 0.))

  within = lambda a: jnp.sum(kernel(a, a) * (1 - jnp.eye(n))) / (n * (n - 1))
  mmd = within(z) + within(y) - 2 * jnp.mean(kernel(z, y))
  x_rec = jax.nn.sigmoid(decode(params['decoder'], z))
  return jnp.mean(squared(x, x_rec)) + config.system.wae.weight * mmd


def sliced(config, bounded, encode, decode, params, x, key):
  """Sliced Wasserstein autoencoder with a ring.  -> scalar."""
  del bounded
  unit = lambda v: v / jnp.linalg.norm(v, axis=1, keepdims=True)
  _, prior_key, theta_key = jax.random.split(key, 3)
  ring_key, noise_key = jax.random.split(prior_key)
  z, = encode(params['encoder'], x)
  y = (config.prior.ring.radius * unit(jax.random.normal(ring_key, z.shape))
       + config.prior.ring.noise * jax.random.normal(noise_key, z.shape))
  theta = unit(jax.random.normal(
      theta_key, (config.penalty.sliced.projections, config.latents)))
  project = lambda a: jnp.sort(jnp.matmul(theta, a.T, precision='highest'))
  logits = decode(params['decoder'], z)
  reconstruction = jnp.mean(jnp.abs(x - jax.nn.sigmoid(logits))
                            + jax.nn.softplus(logits) - x * logits)
  penalty = jnp.mean((project(z) - project(y))**2)
  return reconstruction + config.system.wae.weight * penalty


# Optimizers of one tensor, and the step.


def adam(o, t, g, m, v):
  """Step number, gradient, moments -> update, moments."""
  m, v = o.b1 * m + (1 - o.b1) * g, o.b2 * v + (1 - o.b2) * g**2
  m_hat, v_hat = m / (1 - o.b1**t), v / (1 - o.b2**t)
  return m_hat / (jnp.sqrt(v_hat) + o.eps), m, v


def rmsprop(o, t, g, v):
  """Step number, gradient, moment -> update, moment."""
  del t
  v = o.decay * v + (1 - o.decay) * g**2
  return g / (jnp.sqrt(v) + o.eps), v


LOSSES = {'swae': swae, 'mmd': wae_mmd, 'sliced': sliced}  # or the penalty
NETWORKS = {'gated_conv': (gated_encoder, gated_decoder),
            'avgpool': (pool_encoder, pool_decoder),
            'mlp': (mlp_encoder, mlp_decoder)}
OPTIMIZERS = {'adam': (adam, 2), 'rmsprop': (rmsprop, 1)}  # With moments.


def init(config, state):
  """The plain state before the first step, a copy of the arrays of swae_jax."""
  params = jax.tree.map(jnp.array, state.variables.params['model'])
  _, number = OPTIMIZERS[config.optimizers.model.name]
  moments = [[jnp.zeros_like(p) for p in jax.tree.leaves(params)]
             for _ in range(number)]
  return {'step': jnp.array(state.step), 'key': jnp.array(state.key),
          'params': params, 'moments': moments}


def make(config, dataset):
  """The compiled step: state, images, indices -> state, loss."""
  shape, chosen = dataset.train.images.shape[1:], config.optimizers.model
  name, rate = chosen.name, chosen.learning_rate
  encode, decode = NETWORKS[config.network.name]
  decode = functools.partial(decode, shape=shape)
  system = (config.penalty if 'penalty' in config else config.system).name
  loss = functools.partial(
      LOSSES[system], config, dataset.bounded, encode, decode)
  update, _ = OPTIMIZERS[name]

  @functools.partial(jax.jit, donate_argnums=0)
  def step(state, images, indices):
    t = state['step'] + 1
    key = jax.random.wrap_key_data(state['key'])
    x_key, key = jax.random.split(jax.random.fold_in(key, state['step']))
    x = images[indices]
    if x.dtype == jnp.uint8:
      x = x.astype(jnp.float32) / 255
    if dataset.binarize:
      x = jax.random.bernoulli(x_key, x).astype(jnp.float32)
    value, grads = jax.value_and_grad(loss)(state['params'], x, key)
    params, tree = jax.tree.flatten(state['params'])
    updates, *moments = zip(*(
        update(chosen[name], t, *leaf) for leaf in zip(
            jax.tree.leaves(grads), *state['moments'], strict=True)),
        strict=True)
    params = [p - rate * u
              for p, u in zip(params, updates, strict=True)]
    return {'step': t, 'key': state['key'], 'moments': [*map(list, moments)],
            'params': jax.tree.unflatten(tree, params)}, value

  return step
