"""Forward and gradient of the batch-level losses beside other libraries.

  python -m benchmarks.losses --output losses.json

All implementations run in one process, one after the other in every round; a
ratio compares calls of one round, when the load of the machine was the same.
Errors are those of value and gradient against float64 numpy.  Libraries that
are not installed are left out.
"""
import argparse
import importlib.util
import inspect
import json
import time

import jax
import jax.numpy as jnp
import numpy as np

from swae_jax import losses

SLICED = ((100, 8, 50), (1000, 64, 50), (1000, 64, 1000), (10000, 64, 50))
MMD = ((100, 8), (100, 64), (1000, 64))
# Those of losses.multiscale.
SCALES = inspect.signature(losses.multiscale).parameters['scales'].default


def arrays(n, d, directions):
  """Codes, samples of the prior, unit directions: float32."""
  rng = np.random.default_rng(0)
  theta = rng.normal(size=(directions, d))
  theta /= np.linalg.norm(theta, axis=1, keepdims=True)
  x = 1.1 * rng.normal(size=(n, d)) + .1
  return [a.astype('float32') for a in (x, rng.normal(size=(n, d)), theta)]


def sliced_reference(x, y, theta):
  """Value and gradient by x in float64 numpy."""
  x, y, theta = (a.astype('float64') for a in (x, y, theta))
  s, t = theta @ x.T, theta @ y.T
  order = s.argsort(1)
  gap = np.take_along_axis(s, order, 1) - np.sort(t, 1)
  slope = np.empty_like(s)
  np.put_along_axis(slope, order, 2 * gap / s.size, 1)
  return np.mean(gap**2), slope.T @ theta


def mmd_reference(x, y, base):
  """Value and gradient by x in float64 numpy."""
  x, y = x.astype('float64'), y.astype('float64')
  n = len(x)
  kernel = lambda d2: sum(s * base / (s * base + d2) for s in SCALES)
  slope = lambda d2: sum(-s * base / (s * base + d2)**2 for s in SCALES)
  d2 = lambda a, b: sum((a[:, None, k] - b[None, :, k])**2
                        for k in range(a.shape[1]))
  pull = lambda w, a, b: w.sum(1)[:, None] * a - w @ b
  off = 1 - np.eye(n)
  xx, yy, xy = d2(x, x), d2(y, y), d2(x, y)
  value = ((kernel(xx) * off).sum() + (kernel(yy) * off).sum()) / (n * (n - 1))
  grad = (4 / (n * (n - 1)) * pull(slope(xx) * off, x, x)
          - 4 / n**2 * pull(slope(xy), x, y))
  return value - 2 * kernel(xy).mean(), grad


def in_jax(loss, *inputs):
  """One awaited call of the compiled value and gradient."""
  inputs = jax.tree.map(jnp.asarray, inputs)
  step = jax.jit(jax.value_and_grad(loss))
  return lambda: jax.block_until_ready(step(*inputs))


def in_torch(loss, *inputs):
  """One call of the eager value and gradient."""
  import torch
  x, *rest = (torch.from_numpy(a) for a in inputs)
  x.requires_grad_()

  def call():
    x.grad = None
    value = loss(x, *rest)
    value.backward()
    return value.detach(), x.grad

  return call


def sliced_torch(x, y, theta):
  """Plain PyTorch: two sorts."""
  return ((x @ theta.T).sort(0)[0] - (y @ theta.T).sort(0)[0]).square().mean()


def sliced_jax(x, y, theta):
  """Plain JAX: two sorts."""
  project = lambda z: jnp.sort(jnp.matmul(theta, z.T, precision='highest'))
  return jnp.mean((project(x) - project(y))**2)


def mmd_torch(base):
  """Plain PyTorch, a kernel for each scale, as autoencoder libraries have it.

  Norms and products are computed anew for each scale.
  """
  def kernel(a, b, scale):
    norms = (a**2).sum(1, keepdim=True), (b**2).sum(1, keepdim=True)
    return scale / (scale + norms[0] + norms[1].T - 2 * a @ b.T)

  def loss(x, y):
    n, total = len(x), 0.
    for s in SCALES:
      xx, yy = kernel(x, x, s * base), kernel(y, y, s * base)
      within = xx.sum() - xx.trace() + yy.sum() - yy.trace()
      total += within / (n * (n - 1)) - 2 * kernel(x, y, s * base).mean()
    return total

  return loss


def mmd_torch_shared(base):
  """PyTorch with one matrix of distances for all scales."""
  def kernel(a, b):
    d2 = (a**2).sum(1, keepdim=True) + (b**2).sum(1)[None] - 2 * a @ b.T
    return sum(s * base / (s * base + d2) for s in SCALES)

  def loss(x, y):
    n, xx, yy = len(x), kernel(x, x), kernel(y, y)
    within = xx.sum() - xx.trace() + yy.sum() - yy.trace()
    return within / (n * (n - 1)) - 2 * kernel(x, y).mean()

  return loss


def sliced_case(n, d, directions):
  """Name, reference, and implementations by name, ours first."""
  x, y, theta = arrays(n, d, directions)
  calls = {'swae_jax': in_jax(losses.sliced_wasserstein, x, y, theta),
           'plain JAX': in_jax(sliced_jax, x, y, theta)}
  if installed('torch'):
    calls['PyTorch'] = in_torch(sliced_torch, x, y, theta)
  if installed('ot') and installed('torch'):
    import ot
    calls['POT'] = in_torch(
        lambda x, y, t: ot.sliced.sliced_wasserstein_distance(
            x, y, projections=t.T)**2, x, y, theta)
  if installed('ott'):
    from ott.tools import sliced
    calls['OTT'] = in_jax(
        lambda x, y, t: sliced.sliced_wasserstein(
            x, y, proj_fn=lambda z: z @ t.T)[0], x, y, theta)
  return (f'sliced N={n} D={d} L={directions}',
          sliced_reference(x, y, theta), calls)


def mmd_case(n, d):
  """Name, reference, and implementations by name, ours first."""
  x, y, _ = arrays(n, d, 1)
  base = 2. * d
  kernel = losses.multiscale(losses.imq, base)
  calls = {'swae_jax': in_jax(lambda x, y: losses.mmd(x, y, kernel), x, y)}
  if installed('torch'):
    calls['PyTorch, per scale'] = in_torch(mmd_torch(base), x, y)
    calls['PyTorch, shared'] = in_torch(mmd_torch_shared(base), x, y)
  return f'MMD N={n} D={d}, 7 scales', mmd_reference(x, y, base), calls


def installed(name):
  """Whether `import name` would find a package."""
  return importlib.util.find_spec(name) is not None


def error(result, reference):
  """Relative errors of the value and, in the 2-norm, of the gradient."""
  norm = lambda a: float(np.linalg.norm(np.asarray(a, 'float64')))
  return [norm(np.asarray(a) - b) / norm(b)
          for a, b in zip(result, reference, strict=True)]


def measure(calls, rounds):
  """Seconds of each call in each round.  -> {name: [rounds]}"""
  seconds = {name: [] for name in calls}
  for _ in range(rounds):
    for name, call in calls.items():
      start = time.perf_counter()
      call()
      seconds[name].append(time.perf_counter() - start)
  return {name: np.array(s) for name, s in seconds.items()}


def report(name, reference, calls, rounds):
  """Measures one case, prints its rows and returns them."""
  errors = {who: error(call(), reference) for who, call in calls.items()}
  measure(calls, 2)  # Warm-up.
  seconds = measure(calls, rounds)
  rows = []
  for who, s in seconds.items():
    ratio = s / seconds['swae_jax']
    low, mid, high = np.min(ratio), np.median(ratio), np.max(ratio)
    rows.append({
        'case': name, 'implementation': who, 'milliseconds': s * 1e3,
        'value_error': errors[who][0], 'gradient_error': errors[who][1]})
    print(f'| {name} | {who} | {1e3 * np.median(s):.2f} '
          f'| {low:.2f} - {mid:.2f} - {high:.2f} '
          f'| {errors[who][0]:.0e} | {errors[who][1]:.0e} |', flush=True)
  return rows


def main():
  """Reads the flags and prints a Markdown table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--rounds', type=int, default=15)
  parser.add_argument('--small', action='store_true',
                      help='the first size of each loss alone')
  parser.add_argument('--threads', type=int, default=2,
                      help='of PyTorch; JAX takes the cores it is given')
  parser.add_argument('--output', help='path of a JSON file to write')
  flags = parser.parse_args()
  if installed('torch'):
    import torch
    torch.set_num_threads(flags.threads)
  print(f'JAX {jax.__version__} on {jax.default_backend()}; '
        f'{flags.rounds} rounds, medians\n')
  print('| case | implementation | ms | time / ours: min - median - max '
        '| value error | gradient error |')
  print('| --- | --- | --- | --- | --- | --- |')
  rows = []
  last = 1 if flags.small else None
  for size in SLICED[:last]:
    rows += report(*sliced_case(*size), flags.rounds)
  for size in MMD[:last]:
    rows += report(*mmd_case(*size), flags.rounds)
  if flags.output:
    with open(flags.output, 'w') as f:
      json.dump(rows, f, indent=1, default=np.ndarray.tolist)


if __name__ == '__main__':
  main()
