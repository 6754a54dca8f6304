"""What is estimated, in words, and survival models."""
