"""Mutual information machines.

The losses are those of Livne et al., "MIM: mutual information machine", 2019,
in the forms of the released code.  All arrays are log-densities [B] at one
sample per example.  z is one code, or the pair (z1, z2) with
p(z) = p(z1 | z2) p(z2).
"""
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from swae_jax.losses import inputs


def a_mim(log_likelihood: ArrayLike, log_p: ArrayLike, log_q: ArrayLike, *,
          log_p1: ArrayLike | None = None, log_qx: ArrayLike | None = None,
          warm_up: ArrayLike = 1.) -> jax.Array:
  """The loss at samples of the encoder, x ~ data and z ~ q(z | x).

  The loss is -1/2 [log p(x|z) + log p(z1|z2) + b log p(z2)
  + b (log q(z|x) + log q(x))].  Without `log_qx` the code replaces log q(x) by
  the model's own marginal, log p(x|z) + log p(z1|z2) + b log p(z2)
  - log q(z|x).  At b = 1 the loss is then -log p(x|z) - log p(z), which is the
  negative ELBO without the entropy of q.

  Args:
    log_likelihood: [B] log p(x | z).
    log_p: [B] log p(z), or log p(z2) with two levels.
    log_q: [B] log q(z | x), or log q(z1, z2 | x) with two levels.
    log_p1: [B] log p(z1 | z2) with two levels; None with one level.
    log_qx: [B] log q(x) of another model of the data; None for the marginal.
      No system passes `log_qx`; it exists because the paper allows any q(x).
    warm_up: b in [0, 1], a number or [B]; may be traced.

  Returns:
    [B]

  Raises:
    ValueError: the arrays are not all [B], or warm_up is neither a number nor
      [B].
  """
  log_likelihood, log_p, log_q, log_p1, log_qx = _densities(
      'a_mim', log_likelihood, log_p, log_q, log_p1, log_qx)
  warm_up = inputs.weight('a_mim', 'warm_up', warm_up, log_q)
  log_joint = log_likelihood + log_p1 + inputs.weighted(warm_up, log_p)
  if log_qx is None:
    log_qx = log_joint - log_q
  return -.5 * (log_joint + inputs.weighted(warm_up, log_q + log_qx))


def decoder_mim(log_likelihood: ArrayLike, log_p: ArrayLike, log_q: ArrayLike,
                *, log_p1: ArrayLike | None = None,
                log_qx: ArrayLike | None = None, warm_up: ArrayLike = 1.,
                reinforce: bool = False) -> jax.Array:
  """The loss at samples of the decoder, z ~ p(z) and x ~ p(x | z).

  The loss is -1/2 [log p(x|z) + log p(z) + b (log q(z|x) + log q(x))].
  Without `log_qx` the code replaces log q(x) by log p(x | z).

  Args:
    log_likelihood: [B] log p(x | z).
    log_p: [B] log p(z), or log p(z2) with two levels.
    log_q: [B] log q(z | x), or log q(z1, z2 | x) with two levels.
    log_p1: [B] log p(z1 | z2) with two levels; None with one level.
    log_qx: [B] log q(x) of another model of the data; None for the likelihood.
      No system passes `log_qx`; it exists because the paper allows any q(x).
    warm_up: b in [0, 1], a number or [B]; may be traced.
    reinforce: adds the score-function term loss * grad log p(x | z) to the
      gradient, for a discrete x that carries no gradient.  The value of the
      loss stays the same.

  Returns:
    [B]

  Raises:
    ValueError: the arrays are not all [B], or warm_up is neither a number nor
      [B].
  """
  log_likelihood, log_p, log_q, log_p1, log_qx = _densities(
      'decoder_mim', log_likelihood, log_p, log_q, log_p1, log_qx)
  warm_up = inputs.weight('decoder_mim', 'warm_up', warm_up, log_q)
  if log_qx is None:
    log_qx = log_likelihood
  loss = -.5 * (log_likelihood + log_p1 + log_p
                + inputs.weighted(warm_up, log_q + log_qx))
  if reinforce:
    # `score` is 0 and has the gradient of log p(x | z).
    score = log_likelihood - jax.lax.stop_gradient(log_likelihood)
    loss += jax.lax.stop_gradient(loss) * score
  return loss


def symmetric_mim(encoder_loss: ArrayLike, decoder_loss: ArrayLike, *,
                  warm_up: ArrayLike = 1.) -> jax.Array:
  """Sum of the encoder's and the decoder's loss.

  The decoder's loss counts once the warm-up is over, at b = 1.  Before, neither
  its value nor its gradient reaches the sum if b is a Python number.  With a
  traced b, JAX multiplies the derivatives of `decoder_loss` by 0, which keeps a
  NaN among them; compute `decoder_loss` inside `jax.lax.cond` then.

  Args:
    encoder_loss: [B] `a_mim` at samples of the encoder.
    decoder_loss: [B] `decoder_mim` at samples of the decoder.
    warm_up: b in [0, 1], a number or [B]; may be traced.

  Returns:
    [B]

  Raises:
    ValueError: the arrays are not both [B], or warm_up is neither a number nor
      [B].
  """
  encoder_loss, decoder_loss = inputs.vectors(
      'symmetric_mim', encoder_loss=encoder_loss, decoder_loss=decoder_loss)
  if isinstance(warm_up, (int, float)) and warm_up < 1:
    return encoder_loss
  warm_up = inputs.weight('symmetric_mim', 'warm_up', warm_up, encoder_loss)
  return encoder_loss + jnp.where(warm_up >= 1, decoder_loss, 0.)


def _densities(where, log_likelihood, log_p, log_q, log_p1, log_qx):
  """Checks the arrays [B]; a missing log_p1 is 0, a missing log_qx None."""
  given = {'log_p1': log_p1, 'log_qx': log_qx}
  given = {k: v for k, v in given.items() if v is not None}
  arrays = {'log_likelihood': log_likelihood, 'log_p': log_p, 'log_q': log_q}
  arrays |= given
  arrays = dict(zip(arrays, inputs.vectors(where, **arrays), strict=True))
  return (arrays['log_likelihood'], arrays['log_p'], arrays['log_q'],
          arrays.get('log_p1', 0.), arrays.get('log_qx'))
