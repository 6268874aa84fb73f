"""The Inception network, its weights, and where they come from."""
