"""Readers of files: idx, npz, pickles, pictures, tensorflow-datasets."""
