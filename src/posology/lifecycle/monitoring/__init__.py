"""Whether the world is still the one that a model learned from."""
