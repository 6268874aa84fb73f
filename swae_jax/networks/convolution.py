"""Convolutions and their transposes, in the form that suits the backend.

XLA's CPU backend has good kernels for convolutions of stride 1 and for matrix
products; a dilated operand, as in a transposed convolution and in the
derivatives of a strided one, sends it to loops twenty times slower, and the
derivative by a kernel of any stride to one five times slower.  The form
'phases' keeps to the former, in the derivatives too:

- a transposed convolution is one of stride 1 for each phase of its output
  (even or odd row, even or odd column), with every other tap of the kernel;
- the derivative by the kernel is a sum over blocks of the batch of products of
  matrices, the smaller map by what each row of taps sees of the larger: on one
  core, for [200, 28, 28, 64] and 3 x 3 x 64 x 128, .15 s where the whole batch
  in one block takes .55 s and XLA's own means .74 s;
- so are, with a sum of shifts, convolutions that few channels leave.

No zero is multiplied, and only the order of sums differs from the form 'plain',
which leaves all to XLA.  'phases' has derivatives of any order in reverse mode
and none in forward mode (jax.jvp).

Maps are [B, H, W, C], kernels [k_h, k_w, C_in, C_out], `stride` is a pair, and
`padding` is ((top, bottom), (left, right)).
"""
import contextlib
import functools
import itertools

import jax
from jax import lax
import jax.numpy as jnp

FORMS = ('plain', 'phases')
ONE = (1, 1)
NARROW = 8  # Of fewer channels than so many, shifted copies are cheap.
LARGE = 2**22  # From so many numbers in a strided kernel, products are faster.
BLOCK = 2048  # Pixels in a block: with what the taps see, they fit the cache.

_form = None  # None: by the backend.


@contextlib.contextmanager
def form(name):
  """Gives what is traced inside this form, whatever the backend."""
  global _form
  if name not in FORMS:
    raise ValueError(f'form {name!r}: choose one of {", ".join(FORMS)}')
  before, _form = _form, name
  try:
    yield
  finally:
    _form = before


def default():
  """The form that is taken where none is asked for."""
  return 'phases' if jax.default_backend() == 'cpu' else 'plain'


def _chosen():
  name = _form or default()
  return {'plain': _plain, 'phases': _phases}[name]


def conv(x, kernel, stride, padding):
  """Convolution.  [B, H', W', C_out]."""
  return _chosen()(x, kernel, stride, ONE, padding)


def conv_transpose(x, kernel, stride, padding):
  """Convolution of x with stride - 1 zeros between pixels: the same shapes.

  The transpose of `conv` with that stride and the kernel turned.
  """
  return _chosen()(x, kernel, ONE, stride, padding)


def conv_upsampled(x, kernel, factor, padding):
  """`conv` of stride 1 with x in which each pixel is repeated factor^2 times.

  That is a transposed convolution whose kernel is the sum of shifted ones, with
  fewer taps for each pixel: of 3 x 3 and factor 2 each phase sees 2 x 2.
  """
  if _chosen() is _plain:
    x = x.repeat(factor, axis=1).repeat(factor, axis=2)
    return conv(x, kernel, ONE, padding)
  more = range(factor)
  kernel = sum(
      jnp.pad(kernel, ((h, factor - 1 - h), (w, factor - 1 - w), (0, 0),
                       (0, 0))) for h, w in itertools.product(more, more))
  padding = tuple((low + factor - 1, high + factor - 1)
                  for low, high in padding)
  return conv_transpose(x, kernel, (factor, factor), padding)


def for_flax(upsampling=1):
  """The above in place of `lax.conv_general_dilated` in `flax.linen.Conv`."""
  def general(x, kernel, strides, padding, **options):
    if any(options[name] not in (None, 1, ONE) for name in (
        'lhs_dilation', 'rhs_dilation', 'feature_group_count', 'precision')):
      raise NotImplementedError(f'a convolution with {options}')
    if isinstance(padding, str):
      padding = lax.padtype_to_pads(
          [n * upsampling for n in x.shape[1:3]], kernel.shape[:2], strides,
          padding)
    padding = tuple(map(tuple, padding))
    if upsampling == 1:
      return conv(x, kernel, tuple(strides), padding)
    return conv_upsampled(x, kernel, upsampling, padding)
  return general


def same_transposed(size, stride):
  """Padding of the transpose of a 'SAME' convolution: H' = stride H."""
  total = max(size - stride, 0)  # Of the convolution, on H' pixels.
  low = total // 2
  return size - 1 - low, max(size, stride) - 1 - (total - low)


def _plain(x, kernel, stride, dilation, padding):
  """Either of the two by XLA's own means; one of the pairs is ONE."""
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
  # By x: the transpose, in which stride and dilation change places.
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
  """Zeros around the pixels, or fewer pixels where it is negative."""
  widths = [(0, 0), *padding, *[(0, 0)] * (x.ndim - 3)]
  return lax.pad(x, jnp.zeros((), x.dtype), [(*w, 0) for w in widths])


def _by_phase(x, kernel, dilation, padding):
  """Output pixel i dilation + a sees the taps t = low - a, mod dilation."""
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
  # Fewer numbers leave the product than enter it.
  y = _pad(jnp.einsum('bijc,hwco->bijhwo', x, kernel), *padding)
  rows, columns = y.shape[1] - k_h + 1, y.shape[2] - k_w + 1
  return sum(y[:, h:h + rows, w:w + columns, h, w]
             for h, w in itertools.product(range(k_h), range(k_w)))


def _correlate(x, g, kernel, stride, padding):
  """The derivative by the kernel of `conv`, g being that by its result."""
  k_h, _, c_in, c_out = kernel.shape
  if stride == ONE and c_out < min(c_in, NARROW):  # The narrower is shifted.
    back = tuple((k - 1 - low, k - 1 - high) for k, (low, high)
                 in zip(kernel.shape, padding, strict=False))
    return _turned(_correlate(g, x, _turned(kernel), ONE, back))
  batch, *out, _ = g.shape
  exact = jnp.promote_types(x.dtype, jnp.float32)  # Not a sum of bfloat16.

  def products(x, g):
    # In the other order XLA would transpose the larger operand.
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
  """What each row of taps sees, side by side: k_h times [B, *out, k_w C]."""
  k_h, k_w = kernel.shape[:2]
  end_h, end_w = (s * (m - 1) + 1 for s, m in zip(stride, out, strict=True))
  x = _pad(x, *((low, end + k - 1 - n - low) for (low, _), end, k, n in zip(
      padding, (end_h, end_w), kernel.shape, x.shape[1:], strict=False)))
  return [jnp.concatenate(
      [x[:, h:h + end_h:stride[0], w:w + end_w:stride[1]] for w in range(k_w)],
      -1) for h in range(k_h)]
