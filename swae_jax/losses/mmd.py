"""Maximum mean discrepancy, with the energy distance as a special case."""
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import _pairs, _sorting, collectives, distances, inputs

# Squared distances -> similarities, elementwise.
Kernel = Callable[[jax.Array], jax.Array]
# Factors of the base scale in the released code of Tolstikhin et al. 2018.
SCALES = (.1, .2, .5, 1., 2., 5., 10.)


def imq(scale: ArrayLike) -> Kernel:
  """Inverse multiquadratic kernel C / (C + d2) with d2 = ||x - y||^2.

  C is `scale`.  The kernel maps d2 [...] to similarities [...].  Raises
  ValueError unless C is above 0.
  """
  inputs.positive('imq', 'scale', scale)

  def kernel(d2):
    c = jnp.asarray(scale, d2.dtype)
    return c / (c + d2)

  return kernel


def rbf(sigma: ArrayLike) -> Kernel:
  """Gaussian kernel exp(-d2 / sigma^2) with d2 = ||x - y||^2; no factor of 2.

  The kernel maps d2 [...] to similarities [...].  No config in configs/ uses
  this kernel; a run selects it with --config.penalty.mmd.kernel=rbf.  Raises
  ValueError unless sigma is above 0.
  """
  inputs.positive('rbf', 'sigma', sigma)
  return lambda d2: jnp.exp(-d2 / jnp.asarray(sigma, d2.dtype)**2)


def multiscale(make: Callable[[ArrayLike], Kernel], base: float,
               scales: Sequence[float] = SCALES) -> Kernel:
  """Sum of the kernels make(s * base) over all factors s in `scales`.

  `make` maps a scale to a kernel, as `imq` and `rbf` do.  The released code of
  Tolstikhin et al. 2018 takes `imq` and the base 2 D sigma^2, for codes with D
  axes and a prior of variance sigma^2.
  """
  kernels = [make(s * base) for s in scales]
  return lambda d2: sum(
      (kernel(d2) for kernel in kernels), jnp.zeros((), d2.dtype))


def mmd(z: ArrayLike, z_prior: ArrayLike, kernel: Kernel, *,
        unbiased: bool = True, axis_name: str | None = None) -> jax.Array:
  """Estimate of MMD^2 between the laws that drew z and z_prior.

  Tolstikhin et al., "Wasserstein auto-encoders", 2018, Algorithm 2, take the
  U-statistic.  Its expectation is zero for equal laws, and it may be negative.
  The V-statistic is the MMD^2 of the two empirical laws.  For a positive
  definite kernel it is never negative, and rounding does not make it so.

  Squared distances are those of `squared_distances`, with its accuracy.  At
  most 2^24 pairs are in memory at once (64 MiB for each array of a kernel), so
  the memory does not grow with N M; the time does.

  With `axis_name` the result is the statistic of the examples of all devices.
  In `pmap` and `shard_map(check_vma=False)`, the pmean of the local gradients
  is the exact gradient.  In `shard_map(check_vma=True)`, the gradient of
  pmean(loss) is exact.

  Args:
    z: [N, D] codes.
    z_prior: [M, D] samples of the prior.
    kernel: maps squared distances elementwise to similarities, as `imq`, `rbf`
      and `multiscale` do.  Where examples of the two samples may be equal, the
      kernel must have a derivative at 0.
    unbiased: True gives the U-statistic, False the V-statistic.  No system asks
      for the V-statistic; it serves callers that need a value of at least 0.
    axis_name: named axis over which the examples are spread, if any.

  Returns:
    A scalar.

  Raises:
    ValueError: z, z_prior are not matrices with one D, or the U-statistic gets
      fewer than two examples.
  """
  x, y = inputs.samples('mmd', z=z, z_prior=z_prior)
  x, y = collectives.gather(x, axis_name), collectives.gather(y, axis_name)
  if unbiased and min(len(x), len(y)) < 2:
    raise ValueError('mmd: the U-statistic needs at least 2 examples a side, '
                     f'got {len(x)} and {len(y)}')
  x, y = inputs.near_zero(x, y)
  kernel = _centred(kernel, x, y)
  similarity = _similarity(kernel)
  between = _pairs.between(x, y, similarity)
  if unbiased:
    return (_pairs.within(x, similarity) + _pairs.within(y, similarity)
            - 2 * between)
  equal = kernel(jnp.zeros_like(x[0, 0]))
  return inputs.not_negative(
      _with_equal(x, similarity, equal) + _with_equal(y, similarity, equal)
      - 2 * between)


def _with_equal(x: jax.Array, similarity: _pairs.Similarity, equal: jax.Array
                ) -> jax.Array:
  """Mean similarity of all pairs, also of each example with itself."""
  n = len(x)
  different = _pairs.within(x, similarity) if n > 1 else 0.
  return ((n - 1) * different + equal) / n


def energy_distance(z: ArrayLike, z_prior: ArrayLike, *, unbiased: bool = True,
                    axis_name: str | None = None) -> jax.Array:
  """2 E|z - z'| - E|z - z''| - E|z' - z'''| of two samples.

  Szekely and Rizzo, "Energy statistics", 2013.  The energy distance is the
  squared MMD with the kernel -|z - z'| (Sejdinovic et al. 2013).  A pair of
  equal points adds nothing to the gradient.

  Args:
    z: [N, D] codes.
    z_prior: [M, D] samples of the prior.
    unbiased: True gives the U-statistic, False the V-statistic, as in `mmd`.
    axis_name: named axis over which the examples are spread, if any; `mmd` says
      which gradients are then exact.

  Returns:
    A scalar.

  Raises:
    ValueError: z, z_prior are not matrices with one D, or the U-statistic gets
      fewer than two examples.
  """
  return mmd(z, z_prior, lambda d2: -_root(d2), unbiased=unbiased,
             axis_name=axis_name)


def _centred(kernel: Kernel, x: jax.Array, y: jax.Array) -> Kernel:
  """The kernel minus its value at a usual squared distance.

  A constant in the kernel cancels in the statistic.  Without the subtraction,
  rounding would spoil the statistic: a small difference of large means.
  """
  pairs = min(len(x), len(y))
  d2 = _sorting.sort(jnp.sum((x[:pairs] - y[:pairs])**2, 1))
  centre = jax.lax.stop_gradient(kernel(d2[pairs // 2]))  # A median.
  return lambda d2: kernel(d2) - centre


def _similarity(kernel: Kernel) -> _pairs.Similarity:
  """A kernel of squared distances as a function of examples."""

  def similarity(x, y, left_out):
    d2 = distances.squared_distances(x, y)
    # Many kernels have no derivative at 0, where an example meets itself.
    return kernel(jnp.where(left_out, 1., d2))

  return similarity


def _root(d2: jax.Array) -> jax.Array:
  """The square root with the derivative 0 at 0."""
  zero = d2 == 0
  return jnp.where(zero, 0., jnp.sqrt(jnp.where(zero, 1., d2)))
