"""Why transport: W_1 and the Jensen-Shannon divergence of two moved apart.

  python -m examples.distances --output=curve.png

Figure 6 of Kolouri et al., "Sliced-Wasserstein autoencoder", 2018: p is uniform
on [-1/2, 1/2] and q_tau is p moved by tau.  Where they no longer overlap, which
is grey, the divergence is flat and has no gradient; W_1 = |tau| goes on.
"""
import argparse

import jax
import jax.numpy as jnp
from matplotlib import figure
import numpy as np

from swae_jax import losses

POINTS = 1000


def w1(tau):
  """W_1(p, q_tau) of the quantiles of both: exact, as all move alike."""
  x = ((jnp.arange(POINTS) + .5) / POINTS - .5)[:, None]
  return losses.sliced_wasserstein(x, x + tau, jnp.ones((1, 1)), p=1)


def jensen_shannon(tau):
  """KL(p, m) + KL(q_tau, m), m = (p + q_tau) / 2, in nats, without a half.

  Where one density is 1 and the other 0, which is over a length of
  min(|tau|, 1) for each, the integrand is log 2; where both are 1, it is 0.
  """
  return 2 * jnp.log(2.) * jnp.minimum(jnp.abs(tau), 1.)


def draw(extent=3., steps=241):
  """Both as functions of tau, values above and gradients below."""
  tau = np.linspace(-extent, extent, steps, dtype=np.float32)
  fig = figure.Figure((8, 5), layout='constrained')
  axes = fig.subplots(2, 2, sharex=True, sharey='row')
  for column, (name, of) in zip(axes.T, (
      ('W_1(p, q_\\tau)', w1), ('JS(p, q_\\tau)', jensen_shannon)),
      strict=True):
    values, slopes = jax.vmap(jax.value_and_grad(of))(tau)
    column[0].set_title(f'${name}$')
    column[0].plot(tau, values)
    column[1].plot(tau, slopes)
    column[1].set_xlabel('$\\tau$')
    for panel in column:
      panel.grid(alpha=.3)
      panel.axvspan(-extent, -1, color='.9')
      panel.axvspan(1, extent, color='.9')
      panel.set_xlim(-extent, extent)
  axes[0, 0].set_ylabel('value')
  axes[1, 0].set_ylabel('gradient')
  return fig


def main():
  """Writes the picture."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--output', default='curve.png', help='a PNG to write')
  draw().savefig(parser.parse_args().output, dpi=100)


if __name__ == '__main__':
  main()
