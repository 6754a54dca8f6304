"""What happens to a model after it was fitted: outcomes, updates, versions and monitoring."""
