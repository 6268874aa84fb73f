"""The files of a run: checkpoints, metrics, lock, and their storage."""
