"""What a model needs over time: a registry, and updates from new patients."""
