"""A challenger answers silently beside the model in use: after it, stored apart, compared."""
