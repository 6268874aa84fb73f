"""Convolutions and their transposes, in the form that suits the backend.

XLA's CPU backend has good kernels for convolutions of stride 1 and for matrix
products; a dilated operand, as in a transposed convolution and in the
derivatives of a strided one, sends it to loops twenty times slower.  The form
'phases' keeps to the former, in the derivatives too:

- a transposed convolution is one of stride 1 for each phase of its output
  (even or odd row, even or odd column), with every other tap of the kernel;
- the derivative by the kernel of a strided one is a product of matrices, of
  shifted slices of the larger map with the smaller map;
- so are, with a sum of shifts, convolutions that few channels enter or leave.

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
NARROW = 8  # Up to so many channels, patches beat a convolution.
LARGE = 2**22  # From so many numbers in a strided kernel, they do too.
PATCHES = 2**24  # So many numbers may all taps see at a time.

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
  tap, fits = _taps(x, kernel, stride, padding, out)
  product = lambda x, kernel: jnp.einsum('bijc,co->bijo', x, kernel)
  c_in, c_out = kernel.shape[2:]
  kernel = kernel.reshape(-1, c_in, c_out)
  if fits:
    return product(jnp.concatenate([tap(t) for t in range(len(kernel))], -1),
                   kernel.reshape(-1, c_out))
  return lax.fori_loop(
      0, len(kernel), lambda t, y: y + product(tap(t), kernel[t]),
      jnp.zeros((x.shape[0], *out, c_out), x.dtype))


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
  if stride != ONE:
    return _products(x, g, kernel, stride, padding)
  c_in, c_out = kernel.shape[2:]
  if min(c_in, c_out) > NARROW:
    return jax.linear_transpose(
        lambda kernel: _plain(x, kernel, ONE, ONE, padding), kernel)(g)[0]
  if c_in <= c_out:
    return _products(x, g, kernel, ONE, padding)
  back = tuple((k - 1 - low, k - 1 - high) for k, (low, high)
               in zip(kernel.shape, padding, strict=False))
  return _turned(_products(g, x, _turned(kernel), ONE, back))


def _products(x, g, kernel, stride, padding):
  """`_correlate` as products with g of what each tap sees of x."""
  tap, fits = _taps(x, kernel, stride, padding, g.shape[1:3])
  product = lambda x: jnp.einsum('bijc,bijo->co', x, g)
  count = kernel.shape[0] * kernel.shape[1]
  if fits:
    y = product(jnp.concatenate([tap(t) for t in range(count)], -1))
  else:
    y = lax.map(lambda t: product(tap(t)), jnp.arange(count))
  return y.reshape(kernel.shape)


def _taps(x, kernel, stride, padding, out):
  """Number of a tap -> what it sees, [B, *out, C_in]; are all few enough?"""
  k, (batch, *n, c) = kernel.shape[:2], x.shape
  rows = [m - 1 - (-d // s) for m, d, s in zip(out, k, stride, strict=True)]
  x = _pad(x, *((low, s * r - m - low) for (low, _), s, r, m in zip(
      padding, stride, rows, n, strict=True)))
  x = x.reshape(batch, rows[0], stride[0], rows[1], stride[1], c)
  x = x.transpose(2, 4, 0, 1, 3, 5)  # Pixels that strides lead to, together.

  def tap(t):
    h, w = t // k[1], t % k[1]
    start = h % stride[0], w % stride[1], 0, h // stride[0], w // stride[1], 0
    y = lax.dynamic_slice(x, start, (1, 1, batch, *out, c))
    return y.reshape(batch, *out, c)
  return tap, k[0] * k[1] * batch * out[0] * out[1] * c <= PATCHES
