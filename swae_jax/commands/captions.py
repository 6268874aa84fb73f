"""The metrics of a run in words, and the order of its pictures."""
import re
from typing import NamedTuple

_FEATURES = 'features of generated and of real images'
_METRICS = {  # pattern: (meaning, the better direction)
    r'knn\d+_accuracy': (
        'accuracy of classifying a code by its nearest neighbours among the '
        'training codes', 'higher'),
    r'linear_probe_accuracy': (
        'accuracy of a linear classifier of the codes', 'higher'),
    r'reconstruction_error': (
        'squared error of the reconstruction, summed over an image', 'lower'),
    r'reconstruction_ssim': (
        'structural similarity of an image and its reconstruction', 'higher'),
    r'denoising_error_std': (
        'squared error of the reconstruction of a noisy image against the '
        'clean one', 'lower'),
    r'noisy_error_std': (
        'squared error of the noisy image itself', ''),
    r'latent_sliced_wasserstein': (
        'sliced Wasserstein distance between codes and prior', 'lower'),
    r'latent_mmd': (
        'maximum mean discrepancy between codes and prior', 'lower'),
    r'prior_(sliced_wasserstein|mmd)': (
        'distance between two sets of draws from the prior: the floor of the '
        'distance between codes and prior', ''),
    r'distance_rank_correlation': (
        'rank correlation of the distances between images and between their '
        'codes', 'higher'),
    r'neighbour_overlap': (
        'share of the nearest images whose codes are nearest, too', 'higher'),
    r'elbo': ('lower bound of the log-likelihood of an image, in nats',
              'higher'),
    r'log_likelihood': (
        'log-likelihood of an image by importance sampling, in nats',
        'higher'),
    r'classifier_accuracy': (
        'accuracy of the classifier whose features the next metrics compare',
        ''),
    r'(fid|fd_)': (f'Frechet distance between {_FEATURES}', 'lower'),
    r'(kid|mmd_)': (f'maximum mean discrepancy between {_FEATURES}', 'lower'),
    r'(mind|sliced_)': (
        f'sliced Wasserstein distance between {_FEATURES}', 'lower'),
    r'precision': (
        'share of the generated images that lie among real ones', 'higher'),
    r'recall': (
        'share of the real images that lie among generated ones', 'higher'),
    r'density': ('how densely real images lie around a generated one',
                 'higher'),
    r'coverage': ('share of the real images with a generated one nearby',
                  'higher'),
}
_SUFFIXES = {
    '_sampled_code': 'of one random draw of each code',
    '_train': 'of training images',
    '_reconstructions': 'of reconstructions in place of samples',
}
_CURVES = {
    'loss': 'the loss that training minimises',
    'reconstruction': 'cost of the reconstruction',
    'x_loss': 'cost of the images decoded from the learned prior',
    'z_loss': 'distance between a code and the learned prior',
    'penalty': 'divergence between codes and prior',
    'critic': 'loss of the critic',
    'kl': 'divergence of the law of a code from the prior',
    'elbo': 'lower bound of the log-likelihood',
    'log_likelihood': 'log-likelihood of an image, given its code',
    'prior_logvar': 'log-variance of the learned prior',
    'prior_clamped': 'share of these log-variances at a bound',
    'distinct_components': 'share of the prior\'s components in use in a batch',
    'skipped': 'total number of updates that were not finite',
}
# The pictures that most readers look for come first.
_PICTURES = ('samples', 'reconstructions', 'interpolation', 'manifold',
             'latent', 'pca_modes', 'neighbours', 'denoising', 'tsne')


class Meaning(NamedTuple):
  """A metric in words."""
  text: str
  better: str  # 'higher', 'lower', or '' if neither is better


def metric(name: str) -> Meaning:
  """The meaning of a metric; empty for an unknown metric."""
  for pattern, (text, better) in _METRICS.items():
    if re.match(pattern, name):
      more = [words for suffix, words in _SUFFIXES.items() if suffix in name]
      if name.endswith('_floor'):
        return Meaning(
            'the same metric between two sets of real images: the best to '
            'expect', '')
      return Meaning(', '.join([text, *more]), better)
  return Meaning('', '')


def curve(name: str) -> str:
  """The meaning of a curve; empty for an unknown curve."""
  return _CURVES.get(name, '')


def order(name: str) -> tuple[int, str]:
  """The place of a picture in a report, to sort by."""
  places = [i for i, start in enumerate(_PICTURES) if name.startswith(start)]
  return (places or [len(_PICTURES)])[0], name
