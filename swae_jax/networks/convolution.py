"""Convolutions and transposed convolutions, in a form that suits the backend.

On a CPU, XLA is fast at convolutions of stride 1 and at matrix products.  XLA
is twenty times slower if an operand is dilated, as in transposed convolutions
and in the derivatives of strided convolutions.  XLA is five times slower in the
derivative with respect to a kernel of any stride.  The form 'phases' avoids
these operations, also in its derivatives:

- A transposed convolution becomes one convolution of stride 1 for each phase of
  its output (even or odd row, even or odd column), with every second tap of the
  kernel.
- The derivative with respect to the kernel becomes a sum of matrix products
  over blocks of the batch: the smaller map times the part of the larger map
  that each row of taps meets.  For [200, 28, 28, 64] and 3 x 3 x 64 x 128 on
  one core this takes .15 s; the whole batch in one block takes .55 s, and XLA's
  own derivative .74 s.
- A convolution to few channels becomes a matrix product and a sum of shifts.

The form 'plain' leaves all to XLA.  Both forms compute the same sums in another
order.  'phases' has derivatives of any order in reverse mode and none in
forward mode (jax.jvp).

Maps are [B, H, W, C], kernels [k_h, k_w, C_in, C_out], `stride` is a pair, and
`padding` is ((top, bottom), (left, right)).
"""
from collections.abc import Callable, Iterator
import contextlib
import functools
import itertools
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

# Pair: a number for the rows and one for the columns, or (low, high) of one
# axis.  Padding: (low, high) of the rows, then of the columns.
Pair = tuple[int, ...]
Padding = tuple[Pair, ...]

FORMS = ('plain', 'phases')
ONE = (1, 1)
NARROW = 8  # Maps with fewer channels are cheap to shift.
LARGE = 2**22  # Matrix products suit strided kernels of this size or more.
BLOCK = 2048  # Pixels in a block; a block and its windows fit the cache.

_form: str | None = None  # None: the backend decides.


@contextlib.contextmanager
def form(name: str) -> Iterator[None]:
  """Context in which all convolutions trace in the form `name`."""
  global _form
  if name not in FORMS:
    raise ValueError(f'form {name!r}: choose one of {", ".join(FORMS)}')
  before, _form = _form, name
  try:
    yield
  finally:
    _form = before


def default() -> str:
  """The form outside the context `form`: 'phases' on a CPU, else 'plain'."""
  return 'phases' if jax.default_backend() == 'cpu' else 'plain'


def _chosen():
  name = _form or default()
  return {'plain': _plain, 'phases': _phases}[name]


def conv(x: jax.Array, kernel: jax.Array, stride: Pair,
         padding: Padding) -> jax.Array:
  """Convolution.  [B, H, W, C_in] -> [B, H', W', C_out]."""
  return _chosen()(x, kernel, stride, ONE, padding)


def conv_transpose(x: jax.Array, kernel: jax.Array, stride: Pair,
                   padding: Padding) -> jax.Array:
  """Transposed convolution.  [B, H, W, C_in] -> [B, H', W', C_out].

  The function puts stride - 1 zeros between the pixels of x and convolves the
  result with stride 1.  The function is the transpose of `conv` with this
  stride and the turned kernel.
  """
  return _chosen()(x, kernel, ONE, stride, padding)


def conv_upsampled(x: jax.Array, kernel: jax.Array, factor: int,
                   padding: Padding) -> jax.Array:
  """Repeats each pixel, then applies `conv` with stride 1.

  [B, H, W, C_in] -> [B, H', W', C_out]; a pixel becomes factor x factor pixels.
  The form 'phases' applies a transposed convolution with a sum of shifted
  kernels.  A phase then has fewer taps: 2 x 2 for a kernel of 3 x 3 and a
  factor of 2.
  """
  if _chosen() is _plain:
    x = x.repeat(factor, axis=1).repeat(factor, axis=2)
    return conv(x, kernel, ONE, padding)
  more = range(factor)
  shifted = [
      jnp.pad(kernel, ((h, factor - 1 - h), (w, factor - 1 - w), (0, 0),
                       (0, 0))) for h, w in itertools.product(more, more)]
  kernel = functools.reduce(jnp.add, shifted)
  padding = tuple((low + factor - 1, high + factor - 1)
                  for low, high in padding)
  return conv_transpose(x, kernel, (factor, factor), padding)


def for_flax(upsampling: int = 1) -> Callable[..., jax.Array]:
  """Returns a `conv_general_dilated` for `flax.linen.Conv`, with upsampling.

  The returned function raises NotImplementedError for dilations and groups.
  """
  def general(x: jax.Array, kernel: jax.Array, strides: Any, padding: Any,
              **options: Any) -> jax.Array:
    if any(options[name] not in (None, 1, ONE) for name in (
        'lhs_dilation', 'rhs_dilation', 'feature_group_count', 'precision')):
      raise NotImplementedError(f'no convolution with {options} here')
    if isinstance(padding, str):
      padding = lax.padtype_to_pads(
          [n * upsampling for n in x.shape[1:3]], kernel.shape[:2], strides,
          padding)
    padding = tuple(map(tuple, padding))
    if upsampling == 1:
      return conv(x, kernel, tuple(strides), padding)
    return conv_upsampled(x, kernel, upsampling, padding)
  return general


def same_transposed(size: int, stride: int) -> Pair:
  """Padding of a transposed 'SAME' convolution, so that H' = stride H."""
  total = max(size - stride, 0)  # Padding of the convolution of H' pixels.
  low = total // 2
  return size - 1 - low, max(size, stride) - 1 - (total - low)


def _plain(x, kernel, stride, dilation, padding):
  """The convolution of XLA; stride or dilation is ONE."""
  return lax.conv_general_dilated(
      x, kernel, stride, padding, dilation,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _phases(x, kernel, stride, dilation, padding):
  if dilation != ONE:
    return _by_phase(x, kernel, dilation, padding)
  if stride != ONE:
    return _strided(x, kernel, stride, padding)
  return _dense(x, kernel, padding)


def _forward(x, kernel, *geometry):
  return _phases(x, kernel, *geometry), (x, kernel)


def _backward(stride, dilation, padding, residuals, g):
  x, kernel = residuals
  # The derivative with respect to x is the transpose, in which stride and
  # dilation change places.
  back = tuple(
      (k - 1 - low, d * (n - 1) - s * (m - 1) + low) for k, (low, _), d, n, s, m
      in zip(kernel.shape, padding, dilation, x.shape[1:], stride, g.shape[1:],
             strict=False))
  dx = _phases(g, _turned(kernel), dilation, stride, back)
  if dilation == ONE:
    return dx, _correlate(x, g, kernel, stride, padding)
  turned = _correlate(g, x, _turned(kernel), dilation, back)
  return dx, _turned(turned)


_phases.defvjp(_forward, _backward)


def _turned(kernel):
  """The kernel of the transpose."""
  return jnp.flip(kernel, (0, 1)).swapaxes(2, 3)


def _pad(x, *padding):
  """Adds zeros around the pixels; negative padding removes pixels."""
  widths = [(0, 0), *padding, *[(0, 0)] * (x.ndim - 3)]
  return lax.pad(x, jnp.zeros((), x.dtype), [(*w, 0) for w in widths])


def _by_phase(x, kernel, dilation, padding):
  """Transposed convolution, one phase of the output after the other.

  Output pixel i * dilation + a meets the taps t = low - a, modulo dilation.
  """
  out = [d * (n - 1) + 2 + low + high - k for d, n, (low, high), k in
         zip(dilation, x.shape[1:], padding, kernel.shape, strict=False)]
  rows = [-(-n // d) for n, d in zip(out, dilation, strict=True)]

  def phase(*a):
    first = [(low - b) % d
             for (low, _), b, d in zip(padding, a, dilation, strict=True)]
    part = kernel[first[0]::dilation[0], first[1]::dilation[1]]
    if 0 in part.shape:
      return jnp.zeros((x.shape[0], *rows, kernel.shape[3]), x.dtype)
    low = [(p - b - t) // d for (p, _), b, t, d in
           zip(padding, a, first, dilation, strict=True)]
    return _dense(x, part, tuple(
        (p, r - 1 + k - p - n) for p, r, k, n in
        zip(low, rows, part.shape, x.shape[1:], strict=False)))

  y = jnp.stack([jnp.stack([phase(a, b) for b in range(dilation[1])], 3)
                 for a in range(dilation[0])], 2)
  y = y.reshape(x.shape[0], rows[0] * dilation[0], rows[1] * dilation[1], -1)
  return y[:, :out[0], :out[1]]


def _strided(x, kernel, stride, padding):
  """Convolution with a stride."""
  if kernel.size < LARGE:
    return _plain(x, kernel, stride, ONE, padding)
  out = [(n + low + high - k) // s + 1 for n, (low, high), k, s in zip(
      x.shape[1:], padding, kernel.shape, stride, strict=False)]
  return sum(
      jnp.einsum('bijc,co->bijo', row, taps.reshape(-1, taps.shape[-1]))
      for row, taps in zip(_rows(x, kernel, stride, padding, out), kernel,
                           strict=True))


def _dense(x, kernel, padding):
  """Convolution of stride 1."""
  k_h, k_w, c_in, c_out = kernel.shape
  if k_h * k_w * c_out > c_in:
    return _plain(x, kernel, ONE, ONE, padding)
  # The product has fewer numbers than x.
  y = _pad(jnp.einsum('bijc,hwco->bijhwo', x, kernel), *padding)
  rows, columns = y.shape[1] - k_h + 1, y.shape[2] - k_w + 1
  return sum(y[:, h:h + rows, w:w + columns, h, w]
             for h, w in itertools.product(range(k_h), range(k_w)))


def _correlate(x, g, kernel, stride, padding):
  """The derivative by the kernel of `conv`; g is the derivative by the result.
  """
  k_h, _, c_in, c_out = kernel.shape
  if stride == ONE and c_out < min(c_in, NARROW):  # Shift the narrower map.
    back = tuple((k - 1 - low, k - 1 - high) for k, (low, high)
                 in zip(kernel.shape, padding, strict=False))
    return _turned(_correlate(g, x, _turned(kernel), ONE, back))
  batch, *out, _ = g.shape
  exact = jnp.promote_types(x.dtype, jnp.float32)  # bfloat16 sums lose digits.

  def products(x, g):
    # With swapped operands, XLA would transpose the larger operand.
    return jnp.stack([
        jnp.einsum('bijo,bijc->oc', g, row, preferred_element_type=exact)
        for row in _rows(x, kernel, stride, padding, out)])

  size = next(n for n in range(1, batch + 1) if batch % n == 0 and (
      n == batch or n * out[0] * out[1] >= BLOCK))
  y, _ = lax.scan(
      lambda y, block: (y + products(*block), None),
      jnp.zeros((k_h, c_out, kernel[0].size // c_out), exact),
      [a.reshape(-1, size, *a.shape[1:]) for a in (x, g)])
  return y.swapaxes(1, 2).reshape(kernel.shape).astype(kernel.dtype)


def _rows(x, kernel, stride, padding, out):
  """The windows of each row of taps: a list of k_h arrays [B, *out, k_w C]."""
  k_h, k_w = kernel.shape[:2]
  end_h, end_w = (s * (m - 1) + 1 for s, m in zip(stride, out, strict=True))
  x = _pad(x, *((low, end + k - 1 - n - low) for (low, _), end, k, n in zip(
      padding, (end_h, end_w), kernel.shape, x.shape[1:], strict=False)))
  return [jnp.concatenate(
      [x[:, h:h + end_h:stride[0], w:w + end_w:stride[1]] for w in range(k_w)],
      -1) for h in range(k_h)]
