"""Evaluators: run(view, **options) yields base.Metric and base.Picture."""
from swae_jax.evals import (
    classifier,
    denoising,
    fid,
    interpolation,
    knn,
    latent,
    latent_distance,
    likelihood,
    linear_probe,
    neighbours,
    pca_modes,
    pictures,
    reconstruction,
    tsne,
)

EVALS = {
    'knn': knn.run,
    'likelihood': likelihood.run,
    'reconstruction': reconstruction.run,
    'samples': pictures.samples,
    'reconstructions': pictures.reconstructions,
    'latent': latent.run,
    'latent_distance': latent_distance.run,
    'linear_probe': linear_probe.run,
    'denoising': denoising.run,
    'neighbours': neighbours.run,
    'interpolation': interpolation.run,
    'pca_modes': pca_modes.run,
    'tsne': tsne.run,
    'fid': fid.run,
    'classifier': classifier.run,
}
# check(data set, options) of those that need more than a system and its data.
CHECKS = {'fid': fid.check}
# What a config runs unless told otherwise; the others take long or need more.
DEFAULT = ('knn', 'likelihood', 'reconstruction', 'samples', 'reconstructions',
           'latent', 'latent_distance', 'linear_probe', 'denoising',
           'neighbours', 'interpolation', 'pca_modes')
