"""What a run leaves: checkpoints, metrics, lock, and where they are kept."""
