"""Variational autoencoder."""
from swae_jax import errors, losses, priors
from swae_jax.systems import base, variational


def analytic(m, x, key):
  """The likelihood at one code, and the KL in closed form.  2 of [B]."""
  law = m.posterior(x, train=True)
  outputs = m.outputs(variational.draw(key, *law), train=True)
  return m.likelihood.log_prob(x, *outputs), losses.kl_normal(*law)


def sampled(m, x, key):
  """The likelihood and the estimate of the KL at one code.  2 of [B]."""
  d = m.densities(x, key, train=True)
  return d.likelihood, d.kl()


KLS = {'analytic': analytic, 'sampled': sampled}


def make(network, prior, spec, latents, *, likelihood='bernoulli', scale=1.,
         kl='analytic', beta=1., warm_up=0, logvar_min=-6., logvar_max=2.):
  """Kingma and Welling, "Auto-encoding variational Bayes", 2014, eq. 10.

  Args:
    network: base.Network.
    prior: normal of scale 1, the only one whose KL is known here.
    spec: base.Spec.
    latents: dimension D of a code.
    likelihood: of an image given its code: 'bernoulli', 'gaussian' or
      'logistic_256', the discretised logistic law with a learned scale.
    scale: standard deviation of the pixels, for 'gaussian'.
    kl: 'analytic', or 'sampled' at the one code.
    beta: weight of the KL.
    warm_up: epochs in which this weight grows from 0; 0 for none.
    logvar_min: the encoder's log-variances are kept above.
    logvar_max: and below.
  """
  scaled = getattr(prior, 'keywords', {}).get('scale', 1.) != 1
  if getattr(prior, 'func', prior) is not priors.normal or scaled:
    raise errors.UserError('vae: config.prior must be normal of scale 1; for '
                           'another take wae_mmd, wae_gan or sliced')
  both = base.choice(KLS, 'kl', kl)
  weight = variational.warm_up(warm_up, spec)
  model = variational.Model(**variational.parts(
      network, spec, latents, likelihood, scale, logvar_min, logvar_max))

  def terms(m, x, key, step):
    return variational.bound(*both(m, x, key), beta * weight(step))

  return variational.system(
      model, lambda key, x: base.init(model, key, x[:2]), 1, terms)
