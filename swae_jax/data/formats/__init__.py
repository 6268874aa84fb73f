"""Readers of files: archives, arrays, idx, pickles, pictures, tfds."""
