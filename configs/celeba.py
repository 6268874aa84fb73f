"""CelebA at 64x64 in colour, the whole picture squeezed to a square.

python -m swae_jax.main --config=configs/celeba.py --config.data.dir=DIR

Sun & Guo 2021 use 512 latents and the whole picture.  Tolstikhin et al. 2018
crop the picture first and use 64 latents.  To compare their systems with those
of Sun & Guo, add --config.data.celeba.crop=none --config.latents=512.  Kolouri
et al. 2018 use 128 latents and a uniform prior.
"""
from swae_jax.training import presets

COMMON = {'latents': 512}

# Appendix E of Tolstikhin et al. 2018; the critic has the rate of the model.
WAE = {
    'latents': 64,
    'data.celeba.crop': 'close140',
    'optimizers.model.learning_rate': 1e-4,
    'train.epochs': 55,
}
SMOOTH = {  # The rate falls to a hundredth in 50 epochs.
    'optimizers.model.schedule.name': 'exponential',
    'optimizers.model.schedule.exponential.epochs': 50,
}
# The released code of Tolstikhin et al. 2018 has images in [-1, 1]; ours are
# in [0, 1].  Its squared errors are four times ours, its deviations twice.
WAE_CODE = {
    'system.name': 'wae',
    'system.wae.cost_scale': .2,
    'system.wae.input_noise': .005,
    'system.wae.pretrain_steps': 200,
    'system.wae.pretrain_examples': 256,
    'network.name': 'dcgan',
    'latents': 64,
    'data.celeba.crop': 'close140',
    'optimizers.model.name': 'adam',
    'optimizers.model.adam.b1': .5,
    **SMOOTH,
    'train.batch_size': 100,
    'train.epochs': 50,
}
# Grey levels at the start of the pseudo-inputs, in the released codes of Sun &
# Guo 2021 and of Tomczak & Welling 2018.
NOISE = {'start_mean': .4, 'start_std': .05}

SETTINGS = {
    'mim/reference_code': {
        **presets.MIM_CODE,
        **{f'system.mim.{k}': v for k, v in NOISE.items()}},
    'sliced': {
        **presets.SLICED, 'latents': 128, 'prior.name': 'uniform'},
    'sliced/reference_code': {
        **presets.SLICED_CODE, 'latents': 128, 'prior.name': 'uniform'},
    'swae': {**presets.SWAE, 'system.swae.components': 4000},
    'swae/reference_code': {
        **presets.SWAE_CODE, 'system.swae.components': 4000,
        'system.swae.mean_floor': 1 / 512},
    'vampprior/reference_code': {
        **presets.VAMPPRIOR_CODE,
        **{f'system.vampprior.{k}': v for k, v in NOISE.items()}},
    'wae_gan': {
        **presets.WAE_GAN, **WAE, 'optimizers.critic.learning_rate': 1e-4},
    # lambda is from the paper; the rate of the model is from a comment in the
    # released code.
    'wae_gan/reference_code': {
        **WAE_CODE,
        'system.wae.weight': 10.,
        'penalty.name': 'gan',
        'penalty.gan.log_prior': True,
        'penalty.gan.width': 1024,
        'optimizers.model.learning_rate': 3e-4,
        'optimizers.critic.name': 'adam',
        'optimizers.critic.adam.b1': .5,
        'optimizers.critic.learning_rate': 1e-3,
        'optimizers.critic.schedule.name': 'exponential',
        'optimizers.critic.schedule.exponential.epochs': 50,
    },
    'wae_mmd': {**presets.WAE_MMD, **WAE},
    'wae_mmd/reference_code': {
        **WAE_CODE,
        'system.wae.weight': 100.,
        'penalty.name': 'mmd',
        'penalty.mmd.kernel': 'imq_multiscale',
        'optimizers.model.learning_rate': 1e-3,
    },
}


def get_config(setting='swae'):
  """Every option of a setting on CelebA."""
  return presets.get_config('celeba', setting, SETTINGS, COMMON)
