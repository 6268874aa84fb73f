"""One entry in a registry is enough: the ordinary protocol runs over it."""
import importlib.util
import json

import jax
import numpy as np
import pytest
import tiny_trained

import swae_jax
from swae_jax import data, evals, networks, priors, systems
from swae_jax.commands import export
from swae_jax.evals import base as evals_base
from swae_jax.systems import penalties
from swae_jax.training import train
from swae_jax.workdir import metrics_log
import tiny

TOY = '''
"""A toy of each kind, as an author would write it."""
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from swae_jax import losses, options, priors
from swae_jax.data import base as data
from swae_jax.evals import base as evals
from swae_jax.networks import base as networks
from swae_jax.systems import autoencoder, base
from swae_jax.systems.penalties import base as penalties


def divergence(z, z_prior):
  """A divergence: the squared distance of the means."""
  return jnp.sum((z.mean(0) - z_prior.mean(0))**2)


def penalty(prior, latents, *, factor: options.Positive = 1.):
  return penalties.without_player(
      'means', lambda z, z_prior, key: factor * divergence(z, z_prior))


def prior(*, factor: options.Positive = 1.):
  def sample(key, n, d):
    return factor * jax.random.laplace(key, (n, d))
  return priors.Prior(sample, None, lambda d: 2 * factor**2)


class Linear(nn.Module):
  shapes: tuple
  scale: float

  @nn.compact
  def __call__(self, x, train=False):
    x = self.scale * x.reshape(x.shape[0], -1)
    return tuple(nn.Dense(int(np.prod(s)))(x).reshape(-1, *s)
                 for s in self.shapes)


def network(shape, *, factor: options.Positive = 1.):
  return networks.Network(
      lambda *widths: Linear(tuple((w,) for w in widths), factor),
      lambda *channels: Linear(
          tuple((*shape[:2], c) for c in channels), factor))


def system(network, spec, latents, *, factor: options.Positive = 1.):
  model = autoencoder.Autoencoder(
      network.encoder(latents), network.decoder(spec.shape[-1]), spec.bounded)

  def loss(variables, x, key, step):
    x_rec, stats = base.update(model, variables, lambda m: m.decode(
        m.encode(x, train=True), train=True))
    value = factor * losses.squared_error(x, x_rec).mean()
    return value, (stats, {'loss': value})

  return base.System(
      init=lambda key, x: base.init(model, key, x[:2]), loss=loss,
      encode=autoencoder.encode(model), decode=autoencoder.decode(model),
      sample=lambda variables, key, n: jax.random.normal(key, (n, latents)))


def dataset(*, factor: options.Positive = 1.):
  images = np.random.default_rng(0).integers(
      int(255 * min(factor, 1)), size=(160, 8, 8, 1)).astype(np.uint8)
  split = data.Split(images, np.zeros(160, np.int32))
  return data.check(data.Dataset(
      'toy', split, split, split, binarize=False, bounded=True, classes=1,
      provenance={'source': 'drawn', 'difference': 'none'}))


def evaluator(view, *, factor: options.Positive = 1.):
  z = view.encode(view.data.test.images)
  yield evals.Metric('toy_spread', float(factor * z.std()), len(z))
'''
KINDS = {  # kind: the registry and the section of the config
    'penalty': (penalties.PENALTIES, 'penalty'),
    'prior': (priors.PRIORS, 'prior'),
    'network': (networks.NETWORKS, 'network'),
    'system': (systems.SYSTEMS, 'system'),
    'dataset': (data.DATASETS, 'data'),
    'evaluator': (evals.EVALS, 'evals')}


@pytest.fixture(name='toy', params=[
    pytest.param(kind, marks=() if kind in ('penalty', 'system', 'evaluator')
                 else pytest.mark.slow) for kind in KINDS])
def toy_entry(request, tmp_path, monkeypatch):
  """Adds one entry; yields its kind and settings that use it."""
  kind, (registry, section) = request.param, KINDS[request.param]
  path = tmp_path / 'toy.py'
  path.write_text(TOY)
  spec = importlib.util.spec_from_file_location('toy', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  made = getattr(module, kind)
  monkeypatch.setitem(registry, 'toy', (
      evals_base.Evaluator(made) if kind == 'evaluator' else made))
  chosen = 'evals.toy.run' if kind == 'evaluator' else f'{section}.name'
  return kind, {chosen: True if kind == 'evaluator' else 'toy',
                f'{section}.toy.factor': .5}


def config(toy, devices=1):
  kind, settings = toy
  setting = 'sliced' if kind in ('penalty', 'prior') else 'ae'
  return tiny.config(setting, {**settings, 'devices': devices}, steps=6,
                     log_every=1, save_every=2)


def lines(workdir):
  return [json.loads(line) for line in (
      workdir / 'metrics.jsonl').read_text().splitlines()]


class Cut(Exception):
  """Ends a run between two checkpoints."""


def test_one_entry_is_enough(toy, tmp_path, monkeypatch):
  straight = train.run(config(toy), tmp_path / 'straight')
  assert straight['step'] == 6
  kept = json.loads((tmp_path / 'straight' / 'config.json').read_text())
  assert "'toy': {'factor': 0.5" in str(kept) or toy[0] == 'evaluator'
  names = {m['name'] for m in straight['metrics']}
  assert ('toy_spread' in names) == (toy[0] == 'evaluator')

  add = metrics_log.Metrics.add

  def cut(self, step, values):
    if step == 5:
      raise Cut
    add(self, step, values)

  with monkeypatch.context() as m:
    m.setattr(metrics_log.Metrics, 'add', cut)
    with pytest.raises(Cut):
      train.run(config(toy), tmp_path / 'cut')
  again = train.run(config(toy), tmp_path / 'cut')
  assert again['state_sha256'] == straight['state_sha256']
  assert again['metrics'] == straight['metrics']
  assert lines(tmp_path / 'cut') == lines(tmp_path / 'straight')

  train.run(config(toy, devices=8), tmp_path / 'eight')
  for one, eight in zip(*(lines(tmp_path / name) for name in (
      'straight', 'eight')), strict=True):
    np.testing.assert_allclose(eight['loss'], one['loss'], rtol=1e-5)

  model = swae_jax.load(tmp_path / 'straight')
  x = tiny_trained.images(5)
  z = model.encode(x)
  assert z.shape == (5, 2) and np.isfinite(model.sample(3)).all()
  export.write_safetensors(model, tmp_path / 'model.safetensors')
  exported = swae_jax.load(tmp_path / 'model.safetensors')
  np.testing.assert_array_equal(exported.encode(x), z)
  np.testing.assert_array_equal(exported.decode(z), model.decode(z))
  assert jax.tree.structure(exported.saved.variables) == jax.tree.structure(
      model.saved.variables)
