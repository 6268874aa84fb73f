"""Evaluators: run(view, **options) yields base.Metric and base.Picture."""
from swae_jax.evals import knn, latent, likelihood, pictures, reconstruction

EVALS = {
    'knn': knn.run,
    'likelihood': likelihood.run,
    'reconstruction': reconstruction.run,
    'samples': pictures.samples,
    'reconstructions': pictures.reconstructions,
    'latent': latent.run,
}
