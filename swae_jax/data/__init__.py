"""Data sets: make(**options) -> base.Dataset, with all arrays in memory."""
from swae_jax.data import (
    celeba,
    cifar10,
    coil20,
    digits,
    folder,
    mnist,
    synthetic,
)

DATASETS = {
    'digits': digits.make,
    'mnist': mnist.make,
    'fashion_mnist': mnist.make_fashion,
    'coil20': coil20.make,
    'cifar10': cifar10.make,
    'cifar10_sub': cifar10.make_sub,
    'celeba': celeba.make,
    'folder': folder.make,
    'gmm': synthetic.gmm,
    'swiss_roll': synthetic.swiss_roll,
}
