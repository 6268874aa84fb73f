"""From a config to a trained system."""
