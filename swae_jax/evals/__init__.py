"""Evaluators: run(view, *, options) yields base.Metric and base.Picture.

A new evaluator is a module with `run`, and one entry in EVALS: its options are
then flags, its metrics are in results.json and its pictures in the report.
"""
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
    reconstruction,
    samples,
    tsne,
)
from swae_jax.evals.base import Evaluator

# An evaluator with default=True runs unless a config turns it off.  The others
# take long, or need more than the data.
EVALS: dict[str, Evaluator] = {
    'knn': Evaluator(knn.run, knn.check, default=True),
    'likelihood': Evaluator(likelihood.run, default=True),
    'reconstruction': Evaluator(reconstruction.run, default=True),
    'samples': Evaluator(samples.run, default=True),
    'reconstructions': Evaluator(reconstruction.show, default=True),
    'latent': Evaluator(latent.run, default=True),
    'latent_distance': Evaluator(latent_distance.run, default=True),
    'linear_probe': Evaluator(linear_probe.run, default=True),
    'denoising': Evaluator(denoising.run, denoising.check, default=True),
    'neighbours': Evaluator(neighbours.run, neighbours.check, default=True),
    'interpolation': Evaluator(interpolation.run, default=True),
    'pca_modes': Evaluator(pca_modes.run, default=True),
    'tsne': Evaluator(tsne.run),
    'fid': Evaluator(fid.run, fid.check),
    'classifier': Evaluator(classifier.run, classifier.check),
}
