"""Data sets: make(**options) -> base.Dataset, arrays in memory."""
from swae_jax.data import digits, mnist, synthetic

DATASETS = {
    'digits': digits.make,
    'mnist': mnist.make,
    'fashion_mnist': mnist.make_fashion,
    'gmm': synthetic.gmm,
    'swiss_roll': synthetic.swiss_roll,
}
