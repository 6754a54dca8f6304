"""What a model is for, what it was shown to do, and what is not known of it."""
