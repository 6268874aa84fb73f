"""Evaluators: run(view, **options) yields base.Metric and base.Picture."""
from swae_jax.evals import knn, latent, pictures, reconstruction

EVALS = {
    'knn': knn.run,
    'reconstruction': reconstruction.run,
    'samples': pictures.samples,
    'reconstructions': pictures.reconstructions,
    'latent': latent.run,
}
