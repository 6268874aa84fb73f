"""The steps of `networks.py` as PyTorch has them: eager, channels-last."""
import functools

import torch
from torch import nn

F = nn.functional


class Gated(nn.Module):
  """h(x) * sigmoid(g(x))."""

  def __init__(self, layer):
    super().__init__()
    self.h, self.g = layer(), layer()

  def forward(self, x):
    """Parameters in the shapes of the layer."""
    return self.h(x) * torch.sigmoid(self.g(x))


def gated(layer, *args):
  """A gated layer of `layer(*args)`."""
  return Gated(functools.partial(layer, *args))


def gated_conv(shape, latents, outputs=1):
  """Encoder and decoder of the symmetric autoencoder."""
  height, width, c = shape
  flat = 6 * -(-height // 4) * -(-width // 4)
  stack = ((c, 32, 7, 1, 3), (32, 32, 3, 2, 1), (32, 64, 5, 1, 2),
           (64, 64, 3, 2, 1), (64, 6, 3, 1, 1))
  encoder = nn.Sequential(*(gated(nn.Conv2d, *s) for s in stack), nn.Flatten(),
                          nn.Linear(flat, outputs * latents))
  decoder = nn.Sequential(
      gated(nn.Linear, latents, 300), gated(nn.Linear, 300, height * width * c),
      nn.Unflatten(1, (c, height, width)),
      *(gated(nn.Conv2d, n, 64, 3, 1, 1) for n in (c, 64, 64, 64)),
      nn.Conv2d(64, c, 1, bias=False))
  return encoder, decoder


def avgpool(shape, latents):
  """Encoder and decoder of the sliced autoencoder, for 28 x 28 pixels."""
  c, leaky = shape[2], functools.partial(nn.LeakyReLU, .2)
  conv = lambda i, o, padding=1: (nn.Conv2d(i, o, 3, 1, padding), leaky())
  pool = lambda: nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
  encoder = nn.Sequential(
      *conv(c, 16), *conv(16, 16), pool(), *conv(16, 32), *conv(32, 32), pool(),
      *conv(32, 64), *conv(64, 64), pool(), nn.Flatten(),
      nn.Linear(16 * 64, 128), nn.ReLU(), nn.Linear(128, latents))
  double = lambda: nn.Upsample(scale_factor=2)
  decoder = nn.Sequential(
      nn.Linear(latents, 128), nn.Linear(128, 16 * 64), nn.ReLU(),
      nn.Unflatten(1, (64, 4, 4)),
      double(), *conv(64, 64), *conv(64, 64),
      double(), *conv(64, 64, 0), *conv(64, 64),
      double(), *conv(64, 32), *conv(32, 32), nn.Conv2d(32, c, 3, 1, 1))
  return encoder, decoder


class Same(nn.Module):
  """TensorFlow's padding of a convolution of stride 2 on an even size."""

  def __init__(self, size):
    super().__init__()
    self.size = size

  def forward(self, x):
    """[B, C, H, W], larger by what a kernel of that size needs."""
    total = [max(2 * (-(-n // 2) - 1) + self.size - n, 0) for n in x.shape[2:]]
    (a, b), (c, d) = ((t // 2, t - t // 2) for t in total)
    return F.pad(x, (c, d, a, b)) if any(total) else x


def dcgan(shape, latents):
  """Encoder and decoder of the Wasserstein autoencoder."""
  side, c = shape[0], shape[2]
  size, start, doublings = {
      28: (4, 7, 2), 32: (4, 8, 2), 64: (5, 8, 3)}[side]
  encoder, widths = [], (c, 128, 256, 512, 1024)
  for i, o in zip(widths, widths[1:], strict=False):
    encoder += [Same(size), nn.Conv2d(i, o, size, 2, bias=False),
                nn.BatchNorm2d(o), nn.ReLU()]
  decoder = [nn.Linear(latents, start**2 * 1024), nn.ReLU(),
             nn.Unflatten(1, (1024, start, start))]
  # The convolution of which each is the transpose pads 1 and size - 3.
  odd = size % 2
  for n in range(doublings):
    o = 512 >> n
    decoder += [nn.ConvTranspose2d(2 * o, o, size, 2, 1 + odd, odd, bias=False),
                nn.BatchNorm2d(o), nn.ReLU()]
  last = nn.Conv2d(o, c, size, padding='same')
  flat = 1024 * (-(-side // 16))**2
  return (nn.Sequential(*encoder, nn.Flatten(), nn.Linear(flat, latents)),
          nn.Sequential(*decoder, last))


def mmd(case, images, modules):
  """Squared error and ten times the MMD."""
  def loss(x):
    z = modules['encoder'](x)
    y = torch.sigmoid(modules['decoder'](z))
    p, n, c = torch.randn_like(z), len(z), 2. * case.latents
    k = lambda a, b: c / (c + torch.cdist(a, b)**2)
    off = 1 - torch.eye(n)
    mmd = (((k(z, z) + k(p, p)) * off).sum() / (n * (n - 1))
           - 2 * k(z, p).mean())
    return (x - y).square().sum() / n + 10 * mmd
  return loss


def swae(case, images, modules):
  """The three terms of the symmetric autoencoder."""
  count = case.options['components']
  modules['conditional'], _ = gated_conv(case.shape, case.latents, 2)
  modules.u = nn.Parameter(
      torch.from_numpy(images[:count]).permute(0, 3, 1, 2).contiguous(
          memory_format=torch.channels_last))

  def loss(x):
    z, u, n = modules['encoder'](x), modules.u.clamp(0, 1), len(x)
    k = torch.cdist(x.flatten(1), u.flatten(1)).argmin(1)
    mean, logvar = modules['conditional'](u[k]).chunk(2, 1)
    noise = torch.randn_like(mean)
    z_prior = mean + (.5 * logvar.clamp(-6, 2)).exp() * noise
    y = torch.sigmoid(modules['decoder'](torch.cat([z, z_prior])))
    rec, gen = ((x - part).square().sum() / n for part in y.chunk(2))
    return .5 * (rec + gen) + (z - z_prior).square().sum() / n
  return loss


def sliced(case, images, modules):
  """Cross entropy, absolute error and the sliced distance."""
  def loss(x):
    z = modules['encoder'](x)
    logits = modules['decoder'](z)
    theta = F.normalize(torch.randn(50, case.latents), dim=1)
    a, b = ((theta @ t.T).sort(1)[0] for t in (z, torch.randn_like(z)))
    return (F.binary_cross_entropy_with_logits(logits, x)
            + (x - logits.sigmoid()).abs().mean()
            + 10 * (a - b).square().mean())
  return loss


def step(case, images, threads):
  """A function that does one step."""
  torch.set_num_threads(threads)
  torch.manual_seed(0)
  pair = globals()[case.network](case.shape, case.latents)
  modules = nn.ModuleDict(dict(zip(('encoder', 'decoder'), pair, strict=True)))
  loss = globals()[case.system](case, images, modules)
  modules.to(memory_format=torch.channels_last)
  adam = torch.optim.Adam(modules.parameters(), 1e-3)
  x = torch.from_numpy(images[:case.batch]).permute(0, 3, 1, 2)

  def call():
    adam.zero_grad()
    loss(x).backward()
    adam.step()

  return call
