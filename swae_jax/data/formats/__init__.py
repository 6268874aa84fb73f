"""Readers of files: idx, pictures, archives, prepared sets."""
