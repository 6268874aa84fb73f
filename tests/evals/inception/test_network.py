"""The taps of Inception, and its features by the real weights."""
import os
import pathlib

import jax
import numpy as np
import pytest

from swae_jax.evals import features, fid
from swae_jax.evals.inception import network
from swae_jax.evals.inception import weights as files


def test_taps_come_in_the_order_asked_for():
  net = network.Inception((192, 64))
  x = np.zeros((2, 75, 75, 3), 'f4')
  shapes = jax.eval_shape(net.init_with_output, jax.random.key(0), x)
  assert [a.shape for a in shapes[0]] == [(2, 192), (2, 64)]
  assert set(shapes[1]['params']) == {
      'conv', 'conv_1', 'conv_2', 'conv_3', 'conv_4'}


def test_unknown_taps_are_refused():
  with pytest.raises(ValueError, match='some of'):
    jax.eval_shape(network.Inception((65,)).init, jax.random.key(0),
                   np.zeros((1, 75, 75, 3), 'f4'))


def real(name):
  """A file of the real data, whose folder the environment names."""
  path = pathlib.Path(os.environ.get('SWAE_JAX_DATA', '')) / name
  if not path.is_file():
    pytest.skip(f'SWAE_JAX_DATA: no {name}')
  return path


# An independent port gave these means over the features of four images.
STORED = {
    64: [1.4651895, 1.4226222, 1.4233966, 1.4167131],
    192: [1.8654245, 1.7054116, 1.7392645, 1.7520205],
    768: [.05114921, .0529904, .04673918, .05818738],
    1280: [.16637972, .16977012, .15140334, .18163665]}
FIRST = {768: [.12320724, .03932605, .37901416, .25256875],
         1280: [.0329656, .40085238, .01766066, .05316328]}


def test_the_real_weights_give_the_stored_values():
  path = real(f'inception/{files.PARTIAL}')
  with np.load(real('cifar10/cifar10_sub.npz')) as found:
    x = found['images'][:4]
  for tap, means in STORED.items():
    out = features.extract(fid.make(str(path), tap, 'antialias', 4), [x])
    np.testing.assert_allclose(out.mean(1), means, rtol=1e-5)
    if tap in FIRST:
      np.testing.assert_allclose(out[0, :4], FIRST[tap], rtol=1e-3, atol=2e-5)
