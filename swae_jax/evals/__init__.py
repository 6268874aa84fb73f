"""Evaluators: run(view, **options) yields base.Metric and base.Picture."""
from swae_jax.evals import (
    base,
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

# Those with default=True run unless a config says otherwise; the others take
# long or need more than the data.
EVALS: dict[str, base.Evaluator] = {
    'knn': base.Evaluator(knn.run, default=True),
    'likelihood': base.Evaluator(likelihood.run, default=True),
    'reconstruction': base.Evaluator(reconstruction.run, default=True),
    'samples': base.Evaluator(pictures.samples, default=True),
    'reconstructions': base.Evaluator(pictures.reconstructions, default=True),
    'latent': base.Evaluator(latent.run, default=True),
    'latent_distance': base.Evaluator(latent_distance.run, default=True),
    'linear_probe': base.Evaluator(linear_probe.run, default=True),
    'denoising': base.Evaluator(denoising.run, default=True),
    'neighbours': base.Evaluator(neighbours.run, default=True),
    'interpolation': base.Evaluator(interpolation.run, default=True),
    'pca_modes': base.Evaluator(pca_modes.run, default=True),
    'tsne': base.Evaluator(tsne.run),
    'fid': base.Evaluator(fid.run, fid.check),
    'classifier': base.Evaluator(classifier.run),
}
