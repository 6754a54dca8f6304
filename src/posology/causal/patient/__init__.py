"""Models that are kept with a policy to speak of one patient; NumPy evaluates them."""
